"""The mails of a definition, rendered without a procedure that has begun: what their templates name must be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Any

import peewee as pw
from jinja2 import TemplateError

from engine.definition import Instance, Records, Workflow
from engine.runtime import answers
from engine.store.base import Record
from engine.templates import templates_in
from engine.text import LANGUAGES, reading_in
from workflows.business.mail_frames import FRAMES

_OF_THE_SITE = ("workflows.", "engine.", "web.")
_SAMPLES: tuple[tuple[type[pw.Field], Any], ...] = (
    (pw.BooleanField, True),
    (pw.DecimalField, Decimal(1)),
    (pw.FloatField, 1.0),
    (pw.IntegerField, 1),
    (pw.DateTimeField, datetime(2026, 4, 1, tzinfo=UTC)),
    (pw.DateField, date(2026, 4, 1)),
    (pw.TimeField, time(9)),
    (pw.CharField, "見本"),
    (pw.TextField, "見本"),
)


class _Anything:
    """A thing of which nothing is known: it has whatever a template names."""

    def __getattr__(self, name: str) -> _Anything:
        if name.startswith("__"):  # as __html__, by which escaping asks for markup
            raise AttributeError(name)
        return self

    def __getitem__(self, _key: object) -> _Anything:
        return self

    def __call__(self, *_args: Any, **_named: Any) -> _Anything:
        return self

    def __iter__(self) -> Iterator[str]:
        return iter(("見本",))

    def __str__(self) -> str:
        return "見本"


class _SampleRecords:
    """The records of a site, which has of each record of a plugin at least one."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def get(self, model: Any, **equal: Any) -> Any | None:
        """See `Records.get`."""
        found = self._records.get(model, **equal)
        return _sample(model, equal) if found is None and _is_of_a_plugin(model) else found

    def get_each(self, *wanted: tuple[Any, Mapping[str, Any]]) -> list[Any | None]:
        """See `Records.get_each`."""
        return [self.get(model, **equal) for model, equal in wanted]


def _is_of_a_plugin(model: Any) -> bool:
    is_record = isinstance(model, type) and issubclass(model, Record)
    return is_record and not model.__module__.startswith(_OF_THE_SITE)


def _sample(model: type[Record], equal: Mapping[str, Any]) -> Record:
    filled = {name: _sample_of(one) for name, one in model._meta.fields.items()}
    return model(**{**filled, **equal})


def _sample_of(one: pw.Field) -> Any:
    return next((value for kind, value in _SAMPLES if isinstance(one, kind)), None)


def wrong_mails(
    workflow: Workflow, records: Records, site_facts: Mapping[str, Any], abouts: Sequence[str]
) -> Iterator[str]:
    """What is wrong with the mail templates of a definition: each is rendered in both languages, for procedures about
    one of `abouts` in each state. It has to be right for one of them. Where the procedure's `mail_context` raises for
    all of them, because it needs more than records, nothing is told."""
    places = [(about, state) for state in workflow.by_name for about in abouts]
    made = [one for place in places if (one := _context(workflow, records, *place)) is not None]
    names = [effect.name for effect in workflow.effects.values() if effect.kind == "mail"]
    files = [(name, language, form) for name in names for language in LANGUAGES for form in ("txt", "html")]
    for name, language, form in files if made else ():
        template = f"{name}.{language}.{form}"
        tried = [partial(_wrong, workflow, template, language, {**one, "site": site_facts}) for one in made]
        if all(wrong() for wrong in tried):
            yield f"mail/{template}: {tried[0]()}"


def _context(workflow: Workflow, records: Records, about: str, state: str) -> dict[str, Any] | None:
    instance = Instance(1, workflow.name, workflow.version, about, state, 1, 1, b"")
    sample: Any = _SampleRecords(records)
    try:
        context = answers.context(workflow, instance, sample)
    except Exception:
        return None
    known = {name: _Anything() if value is None else value for name, value in context.items()}
    return {**known, "figures": _Anything()}


def _wrong(workflow: Workflow, template: str, language: str, context: Mapping[str, Any]) -> str:
    """Why a template cannot be rendered; "" where it can, or where a value that is made up does not fit it."""
    with reading_in(language):
        try:
            templates_in(workflow.home / "mail", FRAMES).get_template(template).render(context)
        except TemplateError as error:
            return f"{type(error).__name__}: {error}"
        except Exception:
            return ""
    return ""

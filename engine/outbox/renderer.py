"""Renders mails from the templates beside a definition.

`mail/<name>.<language>.txt` begins with a line `Subject: …` and an empty one; `mail/<name>.<language>.html` is the same
mail as HTML. Both are Jinja templates and see the workflow's `mail_context`, `url` (the mailed link, a secret), `site`
and the effect's frozen `figures`. The filter `aligned` puts facts under each other, and `unlinked` keeps a
mail program from making a link of what somebody typed (`engine.plain_text`). Each try renders again, so no text with a
link in it is ever stored (I11).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import copy
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from engine.definition import HOLDER, Address, Effect, Instance, Nobody, Records, SiteAddress, Workflow
from engine.delivery import Message
from engine.errors import EngineError, NobodyLeft
from engine.runtime import answers
from engine.templates import templates_in
from engine.text import LANGUAGES, reading_in

HIDDEN_LINK = "…"
_NOTHING: Mapping[str, Any] = {}


_BODY = re.compile(r"<body\b[^>]*>\n?(?P<inside>.*?)</body>", re.DOTALL)
_RULE = "-" * 64


class _Written(NamedTuple):
    subject: str
    text: str
    html: str


def _beside(first: _Written, second: _Written, language: str) -> _Written:
    """The mail in two languages, the second below the first; what has no body is put behind."""
    text = f"{first.text.rstrip()}\n\n{_RULE}\n{second.subject}\n\n{second.text}"
    inside = _BODY.search(second.html)
    below = f'<div lang="{language}">\n{inside["inside"] if inside else second.html}</div>\n'
    head, end, rest = first.html.rpartition("</body>")
    return _Written(first.subject, text, f"{head}{below}{end}{rest}" if end else first.html + below)


class NoRecipient(EngineError):
    """There is nobody to send this mail to."""


_templates = lru_cache(maxsize=64)(templates_in)


class Renderer:
    """Renders an effect of kind "mail" as a message.

    `link` returns the text of an instance's link for a role; templates see `site_facts` as `site`, and in previews
    those of `hidden_facts` in the place of secret ones. The templates of the folder `shared` are there for those of
    every workflow, as `site/…`: to be extended and included.
    """

    def __init__(
        self,
        *,
        base_url: str,
        sender: str,
        site_facts: Mapping[str, Any],
        link: Callable[[Instance, str], str],
        hidden_facts: Mapping[str, Any] = _NOTHING,
        shared: Path | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.sender = sender
        self.site_facts = site_facts
        self.link = link
        self.hidden_facts = hidden_facts
        self._shared = shared

    def url(self, workflow: Workflow, text: str, language: str) -> str:
        """The URL of a mailed link, built from BASE_URL and never from a request (G24). Its query is the language of
        the mail, in which the page is to open; it ends in a letter as it did without."""
        return f"{self.base_url}/{workflow.link}/{text}?{language}"

    def message(
        self,
        workflow: Workflow,
        effect: Effect,
        instance: Instance,
        records: Records,
        figures: Mapping[str, Any],
        *,
        key: str,
        language: str = "",
    ) -> Message:
        """The message, ready to send. It is one for addressee and copy (G31): where the copy's reader has another
        language, the mail stands in that one as well, below. Raises NoRecipient, NobodyLeft where the recipients were
        removed on purpose, RuleError, and Jinja's errors where a template is wrong."""
        address = self.address(workflow, effect, effect.to, instance, records)
        if isinstance(address, Nobody):
            raise NobodyLeft
        if address is None:
            raise NoRecipient(f"There is no address for {effect.to!r} of {instance.about} any more.")
        copy = self.address(workflow, effect, effect.cc, instance, records) if effect.cc else None
        chosen = language or address.language
        context = answers.context(workflow, instance, records)
        context["site"], context["figures"] = self.site_facts, figures
        copied = copy if isinstance(copy, Address) and copy.email != address.email else None
        written = self._written(workflow, effect, instance, context, chosen)
        if copied is not None and copied.language != chosen and copied.language in LANGUAGES:
            below = self._written(workflow, effect, instance, context, copied.language)
            written = _beside(written, below, copied.language)
        return Message(
            message_id=answers.message_id(key, self.sender),
            sender=self.sender,
            to=(address.email,),
            subject=written.subject,
            text=written.text,
            html=written.html,
            language=chosen,
            cc=(copied.email,) if copied is not None else (),
        )

    def _written(
        self, workflow: Workflow, effect: Effect, instance: Instance, context: dict[str, Any], language: str
    ) -> _Written:
        """The mail in one language."""
        if workflow.link:
            role = effect.link or HOLDER
            context["url"] = self.url(workflow, self.link(instance, role), language)
        templates = _templates(workflow.home / "mail", self._shared)
        with reading_in(language):
            subject, _, text = templates.get_template(f"{effect.name}.{language}.txt").render(context).partition("\n")
            html = templates.get_template(f"{effect.name}.{language}.html").render(context)
        return _Written(_subject_in(subject), text.lstrip("\n"), html)

    def subject(
        self,
        workflow: Workflow,
        effect: Effect,
        instance: Instance,
        records: Records,
        figures: Mapping[str, Any],
        language: str,
    ) -> str:
        """The subject that the mail would have now. Raises as `message`, and AttributeError where the template names a
        record that is gone."""
        context = answers.context(workflow, instance, records) | {"url": HIDDEN_LINK}
        context["site"], context["figures"] = self.site_facts, figures
        with reading_in(language):
            text = (
                _templates(workflow.home / "mail", self._shared)
                .get_template(f"{effect.name}.{language}.txt")
                .render(context)
            )
        return _subject_in(text.partition("\n")[0])

    def address(
        self, workflow: Workflow, effect: Effect, role: str, instance: Instance, records: Records
    ) -> Address | Nobody | None:
        """The address of the recipient `role`; None where it is missing. Raises RuleError, and what the recipient's
        rule raises."""
        found = answers.address(workflow, effect, role, instance, records)
        if isinstance(found, SiteAddress):
            return Address(str(self.site_facts[found.name]), found.language)
        return found

    def preview(
        self,
        workflow: Workflow,
        effect: Effect,
        instance: Instance,
        records: Records,
        figures: Mapping[str, Any],
        language: str,
    ) -> Message:
        """The message as a preview shows it: its link is hidden (I11). Raises as `message`."""
        hiding = copy(self)
        hiding.link = lambda instance, role: HIDDEN_LINK
        hiding.site_facts = {**self.site_facts, **self.hidden_facts}
        return hiding.message(workflow, effect, instance, records, figures, key="preview", language=language)


def _subject_in(line: str) -> str:
    """The subject that a template's first line gives."""
    return line.removeprefix("Subject:").strip()

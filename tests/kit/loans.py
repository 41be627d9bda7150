"""A plugin with a procedure of its own, a loan: two states, a reminder, records, and what becomes of a customer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import peewee as pw

from engine.definition import SYSTEM, Attempt, Mail, Records, Start, State, Timer, Transition, Workflow, plugin
from engine.hookspecs import hookimpl
from engine.plugins.site_facts import SiteFacts
from engine.store.base import Record
from engine.text import _
from workflows.business import parties
from workflows.ports.procedures import PluginProcedure

TITLE = _("期限切れ")  # any text that has its English
STEP = """
def up(migrator, db):
    db.execute_sql("CREATE TABLE loan (instance BIGINT NOT NULL PRIMARY KEY, customer BIGINT NOT NULL)")
"""
MAIL = "Subject: 返却のお願い\n\n{{ customer.company }}\n\n{% include 'site/signature.ja.txt' %}\n"
HTML = "{% extends 'site/frame.ja.html' %}{% block main %}<p>{{ customer.company }}</p>{% endblock %}\n"


class Loan(Record):
    """A loan, by its procedure."""

    instance = pw.BigIntegerField(primary_key=True)
    customer = pw.BigIntegerField()


def keep(attempt: Attempt) -> None:
    found = parties.customer_of(attempt.instance.about, attempt.records)
    attempt.records.insert(Loan, instance=attempt.instance.id, customer=found.id if found is not None else 0)


def forget(records: Records, customer: int) -> None:
    records.delete(Loan, customer=customer)


def move(records: Records, former: int, customer: int) -> None:
    records.update(Loan, {"customer": former}, customer=customer)


def loan(
    folder: Path, name: str = "loan", version: int = 1, days: int = 14, writes: tuple[Any, ...] = (keep,), **more: Any
) -> Workflow:
    """The procedure; its mails lie in `folder`."""
    return Workflow(
        name=name,
        version=version,
        title=TITLE,
        folder=folder,
        recipients={"contractor": parties.TO_CONTRACTOR},
        mail_context=lambda instance, records: {"customer": parties.customer_of(instance.about, records)},
        start=Start("lent", allow=parties.ACCOUNT_EDITOR, guards=(parties.customer_is_there,), writes=writes, **more),
        states=(
            State("lent", TITLE, timers=(Timer("remind", after=timedelta(days=days)),)),
            State("returned", TITLE, final=True),
            State("withdrawn", TITLE, final=True),
        ),
        transitions=(
            Transition("remind", ("lent",), "lent", allow=SYSTEM, effects=(Mail("reminder", to="contractor"),)),
            Transition("take_back", ("lent",), "returned", allow=plugin("loans"), title=TITLE),
            Transition("write_off", ("lent",), "returned", allow=parties.STAFF, title=TITLE),
            Transition("withdraw", ("lent",), "withdrawn", allow=parties.ACCOUNT_EDITOR, title=TITLE),
        ),
    )


def folder_of_mails(folder: Path) -> Path:
    """A folder with the mails and the steps of a plugin."""
    (folder / "mail").mkdir(parents=True)
    for language in ("ja", "en"):
        (folder / "mail" / f"reminder.{language}.txt").write_text(MAIL, encoding="utf-8")
        (folder / "mail" / f"reminder.{language}.html").write_text(HTML, encoding="utf-8")
    (folder / "migrations").mkdir()
    (folder / "migrations" / "0001_loan.py").write_text(STEP)
    return folder


@dataclass(frozen=True)
class Config:
    pass


def brings(registers: Callable[[], Mapping[str, Any]], steps: Path | None = None, **more: Any) -> type[Any]:
    """A plugin whose procedures are those that `registers` answers, with its own tables."""

    class Brings:
        def __init__(self, config: Config, site_facts: SiteFacts) -> None:
            pass

        @hookimpl
        def register_workflows(self) -> Mapping[str, Any]:
            return registers()

    if steps is not None:
        Brings.register_migrations = hookimpl(lambda self: {"loans": steps})  # type: ignore[attr-defined]
    for hook, answer in more.items():
        setattr(Brings, hook, hookimpl(lambda self, answer=answer: answer()))
    Brings.Config = Config  # type: ignore[attr-defined]
    return Brings


def procedure(folder: Path, **more: Any) -> dict[str, PluginProcedure]:
    """What the plugin registers."""
    return {"loan": PluginProcedure((loan(folder),), **{"forgets": forget, "moves": move, **more})}

"""Every mail that the site sends, made from real procedures, in both languages.

`make mails` prints them into one page, `screenshots/mails.html`, to be read: the Japanese mail beside the English one,
as text and as HTML.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from engine.definition import Effect, Workflow
from engine.delivery import Message
from engine.plugins import SiteFacts
from engine.store.opening import open_database
from engine.store.schema import migrate
from engine.testing import Clock
from engine.text import LANGUAGES
from plugins.notice_email import NoticeEmail
from tests.kit.contract_scenes import LEDGER
from tests.kit.one_of_each import Scene, figures_of
from tests.kit.payments import CONFIGURED
from tests.kit.sites import site_maker
from web.assembly.site import Site
from workflows.business.records import Account
from workflows.notice.board import KINDS
from workflows.notice.turns import TURNS
from workflows.organisation import Organisation
from workflows.ports.notice_channels import NoticeRecipient, PublishedNotice, PublishedRevision
from workflows.registry import MIGRATIONS, WORKFLOWS

FIGURES = {"effective_on": "2026-12-01", "role": "editor"}
PAGE = Path(__file__).parents[2] / "screenshots" / "mails.html"
_NOON = datetime(2026, 11, 10, 3, 0, tzinfo=UTC)


def mails_of(workflow: Workflow) -> list[Effect]:
    """The mails of a workflow, each once."""
    return list({effect.name: effect for effect in workflow.all_effects() if effect.kind == "mail"}.values())


WITH_MAILS = [workflow for workflow in WORKFLOWS if mails_of(workflow)]


def rendered(site: Site, workflow: Workflow) -> Iterator[tuple[Effect, str, Message]]:
    """Each mail of a real procedure, in each language."""
    instance = site.engine.look(Scene(site).start(workflow.name)).instance
    figures = {**FIGURES, **figures_of(workflow.name)}
    for mail in mails_of(workflow):
        for language in LANGUAGES:
            Account.update(language=language).execute()  # who gets the copy reads the same one
            with site.engine.store.reading() as unit:
                made = site.dispatcher.renderer.message(
                    workflow, mail, instance, unit, figures, key="k", language=language
                )
            yield mail, language, made


def of_notices() -> Iterator[tuple[str, str, Message]]:
    """The mail of a maintenance to a reader of each language, as announced and in each of its turns."""
    begins, ends = (datetime(2026, 12, 5, hour, tzinfo=ZoneInfo("Asia/Tokyo")) for hour in (1, 4))
    url = "https://support-site.example.co.jp/notices/0123456789ab"
    notice = PublishedNotice("0123456789ab", "maintenance", KINDS["maintenance"], ("ChatLuck",), url, Organisation())
    announced = PublishedRevision(
        1,
        _NOON.astimezone(begins.tzinfo),
        "ChatLuck 定期メンテナンス",
        "下記の時間帯はご利用いただけません。",
        "ChatLuck scheduled maintenance",
        "ChatLuck is not available during this time.",
        window_start=begins,
        window_end=ends,
    )
    site_facts = SiteFacts(Path("var"), "http://localhost", "aporder@desknets.com", False, "Asia/Tokyo")
    channel = NoticeEmail(NoticeEmail.Config(), site_facts)
    turns = [announced, *(replace(announced, turn=name, turn_title=title) for name, title in TURNS.items())]
    for revision in turns:
        for language in LANGUAGES:
            reader = NoticeRecipient(
                "customer:1",
                "keiyaku@mihon.example",
                "株式会社みほん",
                "契約 太郎",
                number="A00000001",
                language=language,
            )
            made = channel.preview(notice, revision, reader)
            assert made is not None
            yield f"notice {revision.turn}".strip(), language, made


@dataclass(frozen=True)
class Printed:
    """A mail as the page shows it."""

    procedure: str
    name: str
    language: str
    message: Message


def all_mails(folder: Path) -> Iterator[Printed]:
    """Every mail in both languages; each procedure on a new site, whose database is in `folder`."""
    template = folder / "template.db"
    database = open_database(f"sqlite:///{template}")
    migrate(database, MIGRATIONS)
    database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    settings: Mapping[str, Any] = {"plugins": {"ledger": LEDGER, **CONFIGURED}}
    for number, workflow in enumerate(WITH_MAILS):
        path = folder / f"{number}.db"
        shutil.copy(template, path)
        with site_maker(folder / "var") as make:
            site = make(f"sqlite:///{path}", clock=Clock(_NOON), **settings)
            for mail, language, message in rendered(site, workflow):
                yield Printed(f"{workflow.name} {workflow.version}", mail.name, language, message)
    for name, language, message in of_notices():
        yield Printed("notice", name, language, message)


_STYLE = """
body{margin:0;padding:1rem;font:15px/1.5 system-ui,sans-serif;background:#eee;color:#111}
h2{margin:2.5rem 0 .5rem}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
article{min-width:0;background:#fff;padding:1rem;border-radius:.5rem}
h3{margin:0}
pre{white-space:pre-wrap;font-size:13px;border-top:1px solid #ccc;padding-top:.5rem}
iframe{width:100%;height:36rem;border:1px solid #ccc}
"""


def page(mails: Iterator[Printed]) -> str:
    """One page of HTML with all mails; those of one name stand beside each other."""
    by_name: dict[tuple[str, str], list[Printed]] = {}
    for mail in mails:
        by_name.setdefault((mail.procedure, mail.name), []).append(mail)
    parts = ["<!doctype html>", '<meta charset="utf-8">', "<title>Every mail</title>", f"<style>{_STYLE}</style>"]
    for (procedure, name), pair in by_name.items():
        parts += [f"<h2>{escape(procedure)}: {escape(name)}</h2>", '<div class="pair">', *map(_article, pair), "</div>"]
    return "\n".join(parts)


def _article(mail: Printed) -> str:
    message = mail.message
    heads = f"To: {', '.join(message.to)}" + (f" · Cc: {', '.join(message.cc)}" if message.cc else "")
    return (
        f'<article lang="{mail.language}"><h3>{escape(message.subject)}</h3><p>{escape(heads)}</p>'
        f'<pre>{escape(message.text)}</pre><iframe srcdoc="{escape(message.html)}"></iframe></article>'
    )


def main(file: Path = PAGE) -> None:
    """Write the page."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        file.write_text(page(all_mails(Path(folder))), encoding="utf-8")
    print(file)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))

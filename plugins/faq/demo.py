"""Questions for the demo, written through the same procedure as real ones."""

from __future__ import annotations

from collections.abc import Iterator

from plugins.faq.inputs import FaqInput
from plugins.faq.records import FaqEntry
from plugins.faq.workflow import FAQ_ENTRY
from workflows.ports.demo import Demo


def show_questions(demo: Demo) -> None:
    """Write and show the questions that are not there, in the name of the demo's member of staff."""
    for entry in _questions():
        if not FaqEntry.select().where(FaqEntry.id == entry.entry).exists():
            started = demo.engine.start(FAQ_ENTRY.name, f"faq:{entry.entry}", demo.member, entry)
            demo.engine.fire(started.instance_id, "show", demo.member)


def _questions() -> Iterator[FaqInput]:
    yield FaqInput(
        "de0000000001",
        "アカウント",
        "",
        10,
        "お客様番号はどこで確認できますか",
        "ご開通時のメール、請求書ハガキ、PDF納品書／請求書に記載されています。",
        "Where do I find our customer number?",
        "In the email that we sent when your environment was opened, on the billing postcard, and on PDF delivery "
        "notes and invoices.",
        "Accounts",
    )
    yield FaqInput(
        "de0000000002",
        "アカウント",
        "",
        20,
        "アカウント作成のメールが届きません",
        "迷惑メールフォルダをご確認ください。メールは aporder@desknets.com からお送りしています。",
        "The email with the link has not arrived",
        "Please look in your junk folder. Our emails come from aporder@desknets.com.",
        "Accounts",
    )
    yield FaqInput(
        "de0000000003",
        "ご利用環境",
        "",
        10,
        "ディスク使用容量を確認したい",
        "サポートサイトTOPの「貴社環境のディスク使用容量確認」でご覧いただけます。",
        "How much disk space do we use?",
        "See the disk usage on the start page of this site.",
        "Your environment",
    )

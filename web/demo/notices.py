"""The demo's notices and questions, written through the same procedures as real ones; no mail is sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine.definition import Actor
from workflows.business.records import StaffMember
from workflows.faq.inputs import FaqInput
from workflows.faq.records import FaqEntry
from workflows.notice import board
from workflows.notice.inputs import DraftInput, PublishInput, UpdateInput, Wording
from workflows.notice.records import Notice

if TYPE_CHECKING:
    from web.assembly.site import Site


def show_demo_notices(site: Site, member: StaffMember) -> None:
    """Publish the demo's notices and questions in the name of `member`. Idempotent."""
    staff = Actor("staff", str(member.id))
    products = tuple(site.catalogue.products)
    for draft in _drafts(site.clock(), products):
        if not Notice.select().where(Notice.id == draft.notice).exists():
            started = site.engine.start("notice", f"notice:{draft.notice}", staff, draft)
            site.engine.fire(started.instance_id, "publish", staff, PublishInput(notify=False))
            if draft.kind == board.OUTAGE:
                site.engine.fire(started.instance_id, "update", staff, _UPDATE)
    for entry in _questions():
        if not FaqEntry.select().where(FaqEntry.id == entry.entry).exists():
            started = site.engine.start("faq_entry", f"faq:{entry.entry}", staff, entry)
            site.engine.fire(started.instance_id, "show", staff)


_UPDATE = UpdateInput(
    Wording(
        "一部のお客様でログインに時間がかかる事象について",
        "原因を特定し、復旧作業を進めております。復旧までいましばらくお待ちください。",
        "Slow login for some customers",
        "We have found the cause and are working on it. Thank you for your patience.",
    ),
    notify=False,
    status=board.WORKING,
)


def _drafts(now: datetime, products: tuple[str, ...]) -> Iterator[DraftInput]:
    begin = (now + timedelta(days=9)).replace(hour=13, minute=0, second=0, microsecond=0)
    yield DraftInput(
        "de0000000001",
        board.NEWS,
        (),
        Wording(
            "サポートサイトを開設しました",
            "ご契約内容の確認やお手続きを、当サイトから行っていただけるようになりました。\n\nどうぞご利用ください。",
            "The support site is open",
            "You can now look at your contract and ask for changes on this site.",
        ),
    )
    yield DraftInput(
        "de0000000002",
        board.MAINTENANCE,
        products[:1],
        Wording(
            "定期メンテナンスのお知らせ",
            "サーバーの定期メンテナンスを実施します。\n期間中はサービスをご利用いただけません。",
            "Regular maintenance",
            "We will maintain the servers. The service will not be available during this time.",
        ),
        window_start=begin,
        window_end=begin + timedelta(hours=4),
    )
    yield DraftInput(
        "de0000000003",
        board.OUTAGE,
        products[:1],
        Wording(
            "一部のお客様でログインに時間がかかる事象について",
            "現在、一部のお客様でログインに時間がかかる事象が発生しており、原因を調査しております。",
            "Slow login for some customers",
            "Logging in takes long for some customers. We are looking into it.",
        ),
        status=board.INVESTIGATING,
    )


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

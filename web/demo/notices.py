"""The demo's notices, written through the same procedure as real ones; no mail is sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine.definition import Actor
from workflows.business.records import StaffMember
from workflows.notice import board
from workflows.notice.inputs import DraftInput, PublishInput, UpdateInput, Wording
from workflows.notice.records import Notice

if TYPE_CHECKING:
    from web.assembly.site import Site


def show_demo_notices(site: Site, member: StaffMember) -> None:
    """Publish the demo's notices in the name of `member`. Idempotent."""
    staff = Actor("staff", str(member.id))
    products = tuple(site.catalogue.products)
    for draft in _drafts(site.clock(), products):
        if not Notice.select().where(Notice.id == draft.notice).exists():
            started = site.engine.start("notice", f"notice:{draft.notice}", staff, draft)
            site.engine.fire(started.instance_id, "publish", staff, PublishInput(notify=False))
            if draft.kind == board.OUTAGE:
                site.engine.fire(started.instance_id, "update", staff, _UPDATE)


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

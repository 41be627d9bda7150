"""お知らせ as it was first released: without calling off, postponing, ending early and withdrawing.

Notices that began on this version end on it.
"""

from datetime import timedelta

from engine.definition import SYSTEM, Effect, Retry, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.business.permissions import STAFF
from workflows.notice import rules

_IN_BATCHES = Retry(first=timedelta(seconds=1), factor=1.0, most=timedelta(seconds=1), jitter=0.0)
_ANNOUNCE = Effect("notice", "announcement", retry=_IN_BATCHES, figures=rules.announced_revision)
_ANNOUNCE_AGAIN = Effect("notice", "announcement_again", retry=_IN_BATCHES, figures=rules.announced_again)

NOTICE_1 = Workflow(
    name="notice",
    version=1,
    restarts_timers=True,  # an update moves its closing time
    title=_("お知らせ"),
    start=Start(
        "draft",
        allow=STAFF,
        guards=(rules.notice_is_new, rules.products_are_known, rules.draft_fits_its_kind),
        writes=(rules.keep_draft,),
    ),
    states=(
        State("draft", _("下書き")),
        State("scheduled", _("公開予約済み"), timers=(Timer("due", at=rules.publication_time),)),
        State("published", _("公開中"), timers=(Timer("expire", at=rules.closing_time),)),
        State("resolved", _("復旧済み（公開中）"), timers=(Timer("expire", at=rules.closing_time),)),
        State("closed", _("終了"), final=True),
        State("cancelled", _("取り消し"), final=True),
    ),
    transitions=(
        Transition(
            "edit",
            ("draft",),
            "draft",
            allow=STAFF,
            title=_("下書きを編集する"),
            guards=(rules.edited_products_are_known, rules.edit_fits_its_kind),
            writes=(rules.rewrite_draft,),
        ),
        Transition(
            "schedule",
            ("draft",),
            "scheduled",
            allow=STAFF,
            title=_("公開を予約する"),
            guards=(rules.time_lies_ahead,),
            writes=(rules.plan_publication,),
            keep=("notify", "publish_at"),
        ),
        Transition(
            "unschedule",
            ("scheduled",),
            "draft",
            allow=STAFF,
            title=_("予約を取り消して下書きに戻す"),
            writes=(rules.take_publication_back,),
        ),
        Transition(
            "publish",
            ("draft", "scheduled"),
            "published",
            allow=STAFF,
            title=_("今すぐ公開する"),
            writes=(rules.publish_now,),
            effects=(_ANNOUNCE,),
            keep=("notify",),
        ),
        Transition("due", ("scheduled",), "published", allow=SYSTEM, effects=(_ANNOUNCE,)),
        Transition(
            "cancel",
            ("draft", "scheduled"),
            "cancelled",
            allow=STAFF,
            title=_("このお知らせを取り消す"),
            writes=(rules.take_publication_back,),
        ),
        Transition(
            "update",
            ("published", "resolved"),
            "resolved",
            allow=STAFF,
            title=_("続報を公開する"),
            guards=(rules.update_fits_its_kind, rules.says_resolved),
            writes=(rules.add_revision,),
            effects=(_ANNOUNCE,),
            keep=("notify", "status"),
        ),
        Transition(
            "update",
            ("published", "resolved"),
            "published",
            allow=STAFF,
            title=_("続報を公開する"),
            guards=(rules.update_fits_its_kind,),
            writes=(rules.add_revision,),
            effects=(_ANNOUNCE,),
            keep=("notify", "status"),
        ),
        Transition(
            "retry",
            ("published",),
            "published",
            allow=STAFF,
            title=_("届かなかった宛先に再送する"),
            guards=(rules.somebody_was_not_reached,),
            writes=(rules.queue_failed_again,),
            effects=(_ANNOUNCE_AGAIN,),
        ),
        Transition(
            "retry",
            ("resolved",),
            "resolved",
            allow=STAFF,
            title=_("届かなかった宛先に再送する"),
            guards=(rules.somebody_was_not_reached,),
            writes=(rules.queue_failed_again,),
            effects=(_ANNOUNCE_AGAIN,),
        ),
        Transition(
            "close",
            ("published", "resolved"),
            "closed",
            allow=STAFF,
            title=_("お知らせを終了する"),
            writes=(rules.leave_the_open_list,),
        ),
        Transition("expire", ("published", "resolved"), "closed", allow=SYSTEM),
    ),
)

"""お知らせ: drafted, planned, published, updated, closed; called off, postponed, ended early or withdrawn. Reading a
notice needs no procedure: see `board`."""

from datetime import timedelta

from engine.definition import SYSTEM, Effect, Retry, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.business.permissions import STAFF
from workflows.notice import rules

# One effect a revision, and a row of its own for each channel and recipient (see `announcing`): which channels there
# are is configuration, and a definition must not change with it. Its tries are batches, a second apart, so that a long
# mailing never stands in the way of another mail. A row gives up after 24 hours, so the effect always ends in time.
_IN_BATCHES = Retry(first=timedelta(seconds=1), factor=1.0, most=timedelta(seconds=1), jitter=0.0)
ANNOUNCE = Effect("notice", "announcement", retry=_IN_BATCHES, figures=rules.announced_revision)
ANNOUNCE_AGAIN = Effect("notice", "announcement_again", retry=_IN_BATCHES, figures=rules.announced_again)

NOTICE = Workflow(
    name="notice",
    version=2,
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
        State("called_off", _("中止（公開中）"), timers=(Timer("expire", at=rules.closing_time),)),
        State("closed", _("終了"), final=True),
        State("withdrawn", _("取り下げ"), final=True),
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
            keep=("notify", "channels", "publish_at"),
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
            effects=(ANNOUNCE,),
            keep=("notify", "channels"),
        ),
        Transition("due", ("scheduled",), "published", allow=SYSTEM, effects=(ANNOUNCE,)),
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
            effects=(ANNOUNCE,),
            keep=("notify", "channels", "status"),
        ),
        Transition(
            "update",
            ("published", "resolved"),
            "published",
            allow=STAFF,
            title=_("続報を公開する"),
            guards=(rules.update_fits_its_kind,),
            writes=(rules.add_revision,),
            effects=(ANNOUNCE,),
            keep=("notify", "channels", "status"),
        ),
        Transition(
            "retry",
            ("published",),
            "published",
            allow=STAFF,
            title=_("届かなかった宛先に再送する"),
            guards=(rules.somebody_was_not_reached,),
            writes=(rules.queue_failed_again,),
            effects=(ANNOUNCE_AGAIN,),
        ),
        Transition(
            "retry",
            ("resolved",),
            "resolved",
            allow=STAFF,
            title=_("届かなかった宛先に再送する"),
            guards=(rules.somebody_was_not_reached,),
            writes=(rules.queue_failed_again,),
            effects=(ANNOUNCE_AGAIN,),
        ),
        Transition(
            "retry",
            ("called_off",),
            "called_off",
            allow=STAFF,
            title=_("届かなかった宛先に再送する"),
            guards=(rules.somebody_was_not_reached,),
            writes=(rules.queue_failed_again,),
            effects=(ANNOUNCE_AGAIN,),
        ),
        Transition(
            "postpone",
            ("published",),
            "published",
            allow=STAFF,
            title=_("メンテナンスを延期する"),
            guards=(rules.has_not_begun, rules.new_window_is_later),
            writes=(rules.move_window,),
            effects=(ANNOUNCE,),
            keep=("notify", "channels"),
        ),
        Transition(
            "call_off",
            ("published",),
            "called_off",
            allow=STAFF,
            title=_("メンテナンスを中止する"),
            guards=(rules.has_not_begun,),
            writes=(rules.call_it_off,),
            effects=(ANNOUNCE,),
            keep=("notify", "channels"),
        ),
        Transition(
            "end_early",
            ("published",),
            "published",
            allow=STAFF,
            title=_("メンテナンスを早期終了する"),
            guards=(rules.is_under_way,),
            writes=(rules.end_window_now,),
            effects=(ANNOUNCE,),
            keep=("notify", "channels"),
        ),
        Transition(
            "withdraw",
            ("published", "resolved", "called_off"),
            "withdrawn",
            allow=STAFF,
            title=_("誤って公開したお知らせを取り下げる"),
            writes=(rules.withdraw_notice,),
            effects=(ANNOUNCE,),
            keep=("notify", "channels"),
        ),
        Transition(
            "close",
            ("published", "resolved", "called_off"),
            "closed",
            allow=STAFF,
            title=_("お知らせを終了する"),
            writes=(rules.leave_the_open_list,),
        ),
        Transition("expire", ("published", "resolved", "called_off"), "closed", allow=SYSTEM),
    ),
)

"""The rules of お知らせ: what may be published, for how long it is open, and what a revision holds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from engine.definition import Attempt, Refusal, needs_input
from engine.text import _
from workflows.business.required import required
from workflows.notice.board import MAINTENANCE, OUTAGE, RESOLVED, STATUSES, Window
from workflows.notice.records import Notice, NoticeDelivery, NoticeRevision
from workflows.notice.turns import CALLED_OFF, ENDED_EARLY, POSTPONED, WITHDRAWN

STAYS_RESOLVED = timedelta(days=3)  # for which a resolved notice stays among the open ones
STAYS_OPEN = timedelta(days=365)  # after its last revision

TAKEN = Refusal("taken", _("このお知らせは、すでに作成されています。"))
NO_PRODUCT = Refusal("unknown_product", _("対象の製品を選び直してください。"), "products")
NO_WINDOW = Refusal("no_window", _("メンテナンスの開始日時と終了日時をご入力ください。"), "window_start")
WINDOW_BACKWARDS = Refusal("window", _("終了日時は開始日時より後にしてください。"), "window_end")
NO_STATUS = Refusal("no_status", _("障害の状況をお選びください。"), "status")
PAST = Refusal("past", _("公開日時は、これからの日時にしてください。"), "publish_at")
NO_FAILURE = Refusal("no_failure", _("届かなかった宛先はありません。"))
GONE = Refusal("gone", _("このお知らせは、見つかりません。"))
NOT_RESOLVED = Refusal("not_resolved", _("復旧していません。"))
NO_MAINTENANCE = Refusal("no_maintenance", _("メンテナンス情報ではありません。"))
BEGUN = Refusal("begun", _("メンテナンスの開始日時を過ぎています。"))
NOT_UNDER_WAY = Refusal("not_under_way", _("メンテナンスの実施中ではありません。"))
NOT_LATER = Refusal(
    "not_later", _("新しい開始日時は、元の開始日時より後の、これからの日時にしてください。"), "window_start"
)


def notice_of(attempt: Attempt) -> Notice:
    """The record of the notice that a procedure is about, as it is now. Raises Refused where it is gone."""
    notice: Notice | None = attempt.records.get(Notice, instance=attempt.instance.id)
    return required(notice, GONE)


def _notice_before(attempt: Attempt) -> Notice:
    """The record as it was before this event wrote anything; read once."""
    if "notice" not in attempt.memo:
        attempt.memo["notice"] = notice_of(attempt)
    notice: Notice = attempt.memo["notice"]
    return notice


def notice_is_new(attempt: Attempt) -> Refusal | None:
    """The notice does not exist yet: a form makes one notice, however often it is sent."""
    return TAKEN if attempt.records.exists(Notice, id=attempt.data.notice) else None


def products_are_known(attempt: Attempt) -> Refusal | None:
    """The products are in the catalogue: others have no audience."""
    return None if set(attempt.data.products) <= set(attempt.services.catalogue.products) else NO_PRODUCT


def draft_fits_its_kind(attempt: Attempt) -> Refusal | None:
    """An outage has a status, a maintenance a window."""
    return _fits(attempt.data.kind, attempt.data)


@needs_input
def edit_fits_its_kind(attempt: Attempt) -> Refusal | None:
    """An outage has a status, a maintenance a window; a draft may change its kind."""
    return _fits(attempt.data.kind, attempt.data)


@needs_input
def edited_products_are_known(attempt: Attempt) -> Refusal | None:
    """The products are in the catalogue: others have no audience."""
    return products_are_known(attempt)


@needs_input
def update_fits_its_kind(attempt: Attempt) -> Refusal | None:
    """An update has what its notice has: the status of an outage, the window of a maintenance."""
    return _fits(_notice_before(attempt).kind, attempt.data)


def _fits(kind: str, draft: Any) -> Refusal | None:
    if kind == OUTAGE:
        return None if draft.status in STATUSES else NO_STATUS
    if kind == MAINTENANCE:
        if draft.window_start is None or draft.window_end is None:
            return NO_WINDOW
        return None if draft.window_start < draft.window_end else WINDOW_BACKWARDS
    return None


@needs_input
def time_lies_ahead(attempt: Attempt) -> Refusal | None:
    """The time of publication is in the future."""
    publish_at = attempt.data.publish_at
    return None if publish_at is not None and publish_at > attempt.now else PAST


@needs_input
def says_resolved(attempt: Attempt) -> Refusal | None:
    """The status is 復旧: the notice then closes by itself some days later."""
    return None if attempt.data.status == RESOLVED else NOT_RESOLVED


def has_not_begun(attempt: Attempt) -> Refusal | None:
    """A maintenance whose window has not begun."""
    notice = _notice_before(attempt)
    if notice.kind != MAINTENANCE or notice.window_start is None:
        return NO_MAINTENANCE
    return None if attempt.now < notice.window_start else BEGUN


def is_under_way(attempt: Attempt) -> Refusal | None:
    """A maintenance within its window."""
    notice = _notice_before(attempt)
    if notice.kind != MAINTENANCE or notice.window_start is None or notice.window_end is None:
        return NO_MAINTENANCE
    return None if notice.window_start <= attempt.now < notice.window_end else NOT_UNDER_WAY


@needs_input
def new_window_is_later(attempt: Attempt) -> Refusal | None:
    """The new window begins later than the old one, and in the future."""
    notice, data = _notice_before(attempt), attempt.data
    if data.window_start is None or data.window_end is None:
        return NO_WINDOW
    if data.window_start >= data.window_end:
        return WINDOW_BACKWARDS
    return None if data.window_start > max(notice.window_start, attempt.now) else NOT_LATER


def somebody_was_not_reached(attempt: Attempt) -> Refusal | None:
    """The last announced revision could not be delivered to some recipient."""
    notice = notice_of(attempt)
    failed = attempt.records.exists(NoticeDelivery, notice=notice.id, revision=notice.announced, state="failed")
    return None if failed else NO_FAILURE


def keep_draft(attempt: Attempt) -> None:
    """Record the notice with its first revision, which no reader sees yet."""
    draft, records = attempt.data, attempt.records
    records.insert(
        Notice,
        id=draft.notice,
        instance=attempt.instance.id,
        kind=draft.kind,
        products=" ".join(sorted(draft.products)),
        updated_at=attempt.now,
        **_circumstances(draft.kind, draft),
    )
    _insert_revision(attempt, draft.notice, 1, draft.kind, None, notify=False)


def rewrite_draft(attempt: Attempt) -> None:
    """Change the first revision, which no reader has seen."""
    draft, records = attempt.data, attempt.records
    circumstances = _circumstances(draft.kind, draft)
    notice = notice_of(attempt)
    records.update(
        Notice,
        {"id": notice.id},
        kind=draft.kind,
        products=" ".join(sorted(draft.products)),
        updated_at=attempt.now,
        **circumstances,
    )
    records.update(
        NoticeRevision,
        {"notice": notice.id, "number": 1},
        written_by=int(attempt.actor.id),
        **circumstances,
        **_texts(draft.wording),
    )


def plan_publication(attempt: Attempt) -> None:
    """Set the time of publication: readers see the notice from then on, whether or not a worker runs."""
    _set_publication(attempt, attempt.data.publish_at)


def publish_now(attempt: Attempt) -> None:
    """Publish the notice: readers see it from this commit on."""
    _set_publication(attempt, attempt.at)


def _set_publication(attempt: Attempt, at: datetime) -> None:
    notice, notify = notice_of(attempt), int(attempt.data.notify)
    resolved = notice.kind == OUTAGE and notice.status == RESOLVED
    closes_at = _closes_at(notice.kind, resolved, notice.window_end, at)
    attempt.records.update(
        Notice, {"id": notice.id}, publish_at=at, closes_at=closes_at, updated_at=at, announced=notify
    )
    first = {"notice": notice.id, "number": 1}
    attempt.records.update(NoticeRevision, first, at=at, notify=notify, channels=_channels(attempt.data))


def _channels(data: Any) -> str | None:
    return " ".join(data.channels) if data.channels is not None else None


def take_publication_back(attempt: Attempt) -> None:
    """Cancel the publication: the notice is a draft again, or withdrawn, and no reader sees it."""
    notice = notice_of(attempt)
    attempt.records.update(
        Notice, {"id": notice.id}, publish_at=None, closes_at=None, announced=0, updated_at=attempt.now
    )
    attempt.records.update(NoticeRevision, {"notice": notice.id, "number": 1}, at=None, notify=0, channels=None)


def add_revision(attempt: Attempt) -> None:
    """Add a revision; earlier ones stay readable."""
    update, notice = attempt.data, _notice_before(attempt)
    number = notice.revision + 1
    _insert_revision(
        attempt, notice.id, number, notice.kind, attempt.at, notify=update.notify, channels=_channels(update)
    )
    resolved = notice.kind == OUTAGE and update.status == RESOLVED
    attempt.records.update(
        Notice,
        {"id": notice.id},
        revision=number,
        announced=number if update.notify else notice.announced,
        closes_at=_closes_at(notice.kind, resolved, update.window_end, attempt.at),
        updated_at=attempt.at,
        **_circumstances(notice.kind, update),
    )


def move_window(attempt: Attempt) -> None:
    """Postpone the maintenance to its new window, and say so."""
    window = attempt.data.window_start, attempt.data.window_end
    _take_turn(attempt, POSTPONED, window, _closes_at(MAINTENANCE, False, window[1], attempt.at))


def call_it_off(attempt: Attempt) -> None:
    """Call the maintenance off, and say so: the notice stays readable, and among the open ones for three days."""
    notice = _notice_before(attempt)
    _take_turn(attempt, CALLED_OFF, (notice.window_start, notice.window_end), attempt.at + STAYS_RESOLVED)


def end_window_now(attempt: Attempt) -> None:
    """End the maintenance at this moment, and say so."""
    window = _notice_before(attempt).window_start, attempt.at
    _take_turn(attempt, ENDED_EARLY, window, attempt.at + STAYS_RESOLVED)


def withdraw_notice(attempt: Attempt) -> None:
    """Withdraw the notice: readers see that it was published by mistake, and nothing else of it."""
    notice = _notice_before(attempt)
    _take_turn(attempt, WITHDRAWN, (notice.window_start, notice.window_end), attempt.at)


def _take_turn(attempt: Attempt, turn: str, window: Window, closes_at: datetime) -> None:
    """Add the revision that says what became of the notice. It is announced to those who were told of it before."""
    notice, said, records = _notice_before(attempt), attempt.data, attempt.records
    number, start, end = notice.revision + 1, window[0], window[1]
    circumstances = {"turn": turn, "status": notice.status, "window_start": start, "window_end": end}
    records.insert(
        NoticeRevision,
        notice=notice.id,
        number=number,
        at=attempt.at,
        notify=int(said.notify),
        channels=_channels(said),
        written_by=int(attempt.actor.id),
        **circumstances,
        **_texts(said.wording),
    )
    records.update(
        Notice,
        {"id": notice.id},
        revision=number,
        announced=number if said.notify else notice.announced,
        closes_at=closes_at,
        updated_at=attempt.at,
        **circumstances,
    )


def leave_the_open_list(attempt: Attempt) -> None:
    """Close the notice; it stays readable."""
    notice = notice_of(attempt)
    attempt.records.update(Notice, {"id": notice.id}, closes_at=attempt.at)


def queue_failed_again(attempt: Attempt) -> None:
    """Retry the recipients whom the last announced revision did not reach, under the same idempotency keys."""
    notice = notice_of(attempt)
    attempt.records.update(
        NoticeDelivery,
        {"notice": notice.id, "revision": notice.announced, "state": "failed"},
        state="waiting",
        attempts=0,
        due_at=attempt.at,
        give_up_at=attempt.at + GIVE_UP_AFTER,
        error="",
    )


def publication_time(attempt: Attempt) -> datetime:
    """The time of publication that staff planned."""
    return notice_of(attempt).publish_at  # type: ignore[no-any-return]


def closing_time(attempt: Attempt) -> datetime:
    """Three days after the recovery or the end of the maintenance; otherwise a year after the last revision."""
    return notice_of(attempt).closes_at  # type: ignore[no-any-return]


GIVE_UP_AFTER = timedelta(hours=24)


def _closes_at(kind: str, resolved: bool, window_end: datetime | None, at: datetime) -> datetime:
    if kind == MAINTENANCE and window_end is not None:
        return max(window_end, at) + STAYS_RESOLVED
    return at + (STAYS_RESOLVED if resolved else STAYS_OPEN)


def announced_revision(attempt: Attempt) -> dict[str, int]:
    """The number of the revision that is announced."""
    return {"revision": notice_of(attempt).revision}


def announced_again(attempt: Attempt) -> dict[str, int]:
    """The number of the revision that is retried."""
    return {"revision": notice_of(attempt).announced}


def _circumstances(kind: str, written: Any) -> dict[str, Any]:
    """The status and the window of a revision, as far as its kind has them."""
    maintenance = kind == MAINTENANCE
    return {
        "status": written.status if kind == OUTAGE else "",
        "window_start": written.window_start if maintenance else None,
        "window_end": written.window_end if maintenance else None,
    }


def _texts(wording: Any) -> dict[str, str]:
    return {name: getattr(wording, name) for name in ("title_ja", "body_ja", "title_en", "body_en")}


def _insert_revision(
    attempt: Attempt,
    notice: str,
    number: int,
    kind: str,
    at: datetime | None,
    *,
    notify: bool,
    channels: str | None = None,
) -> None:
    attempt.records.insert(
        NoticeRevision,
        notice=notice,
        number=number,
        at=at,
        notify=int(notify),
        channels=channels,
        written_by=int(attempt.actor.id),
        **_circumstances(kind, attempt.data),
        **_texts(attempt.data.wording),
    )

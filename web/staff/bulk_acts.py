"""Many incidents at once: what an act would settle, the act, how far it is, and stopping and resuming it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from engine.configuration import one_line
from engine.definition import Refusal
from engine.errors import EventNotPossible
from engine.operations import bulk_acts
from engine.operations.bulk_acts import BulkAct, Foreseen
from engine.operations.incidents import Criteria
from engine.text import Text, _
from web.http.areas import NUMBER
from web.http.current import local_time, site
from web.http.who_may import staff_only
from web.staff import incident_criteria
from web.staff.area import actor, pages, typed_reason
from web.staff.incident_words import shown
from workflows.business.access.actor_names import names_of
from workflows.business.typed import email

_EXAMPLES = 5
_ON_A_PAGE = 20
_LARGEST = 10**9
_LONGEST_REASON = 1000
_REASON_MISSING = Refusal("reason_missing", _("理由をご入力ください。"), "reason")
_REASON_LONG = Refusal("reason_long", _("理由は%(most)s文字以内でご入力ください。", most=_LONGEST_REASON), "reason")
_HOST_WRONG = Refusal(
    "host_wrong", _("正しいメールアドレスの@より後の部分を、example.jp のようにご入力ください。"), "new_host"
)
_TOO_MANY = Refusal(
    "too_many", _("一度に処理できるのは%(most)s件までです。条件を絞り込んでください。", most=f"{bulk_acts.MOST:,}")
)
_NOTHING_LEFT = _("条件に当てはまるインシデントは、もうありません。")
_CHANGED = _("この一括処理の状況は、すでに変わっています。現在の状況をご確認ください。")

_MEANINGS = {
    "retry": _(
        "原因が解消したときに使います。すぐに再度実行し、新しい期限まで繰り返し試します。完了しているものは、手続きだけを進めます。"
    ),
    "skip": _("別の方法でお伝えした場合などに使います。これらの処理は二度と実行されません。後に続く処理は進みます。"),
    "amend": _(
        "メールアドレスの@より後が同じように誤っていたときに使います。訂正した宛先へ送り直します。"
        "メール内のURLは新しくなり、古いURLは無効になります。"
    ),
}
_TITLES = {"retry": _("もう一度試す"), "skip": _("取りやめる"), "amend": _("宛先を訂正して試す")}
_STATES = {"running": _("処理中"), "stopped": _("停止中"), "ended": _("終了")}


@dataclass(frozen=True, slots=True)
class Offered:
    """One way to settle many incidents: how many it settles, and how many it leaves out."""

    name: str
    title: Text
    meaning: Text
    count: int
    left_out: int


@dataclass(frozen=True, slots=True)
class ShownAct:
    """A bulk act as pages show it."""

    number: int
    title: Text
    state: Text
    is_running: bool
    is_stopped: bool
    criteria: Sequence[tuple[Text, Text | str]]
    new_host: str
    who: Text | str
    reason: str
    begun_at: str
    changed_at: str
    changed_by: Text | str
    changed_reason: str
    total: int
    done: int
    settled: int
    refused: int
    left: int


@pages.get("/incidents/bulk")
@staff_only
def choose_bulk_act() -> str:
    """What the chosen incidents are: how many, the first of them, and what can be done with all of them."""
    return _choice(incident_criteria.criteria_in(request.args))


@pages.post("/incidents/bulk")
@staff_only
def begin_bulk_act() -> str | Response:
    """Begin an act on all chosen incidents, in the name of the logged-in member; workers carry it on."""
    criteria = incident_criteria.criteria_in(request.form)
    act, reason = request.form.get("act", ""), _reason()
    if act not in _TITLES or (act == "amend" and not criteria.host) or criteria.before is None:
        abort(422)
    typed = request.form.get("new_host", "").strip()
    address = email(f"a@{typed.removeprefix('@')}") if act == "amend" else ""
    refusals = [*_wrong_reason(reason), *([_HOST_WRONG] if isinstance(address, Refusal) else [])]
    if refusals:
        return make_response(_choice(criteria, act, reason, typed, refusals), 422)
    seen = bulk_acts.foresee(site().engine, act, criteria, most=0)
    if seen.count > bulk_acts.MOST:
        return make_response(_choice(criteria, act, reason, typed, [_TOO_MANY]), 422)
    try:
        new_host = str(address).rpartition("@")[2]
        begun = bulk_acts.begin(site().engine, act, seen.criteria, actor(), reason, new_host=new_host)
    except EventNotPossible:
        flash(str(_NOTHING_LEFT), "care")
        return redirect(url_for("staff.incidents"), 303)
    return redirect(url_for("staff.bulk_act", number=begun.number), 303)


@pages.get("/incidents/acts")
@staff_only
def bulk_acts_list() -> str:
    """The acts on many incidents, the newest first."""
    page = page_number(request.args.get("page", ""))
    found = bulk_acts.bulk_acts(site().engine, _ON_A_PAGE + 1, (page - 1) * _ON_A_PAGE)
    acts = [shown_act(one) for one in found[:_ON_A_PAGE]]
    return render_template("staff/bulk_acts.html", acts=acts, page=page, more=len(found) > _ON_A_PAGE)


@pages.get(f"/incidents/bulk/<{NUMBER}:number>")
@staff_only
def bulk_act(number: int) -> str:
    """How far an act is, and what it could not settle."""
    return _page(_find(number))


@pages.post(f"/incidents/bulk/<{NUMBER}:number>")
@staff_only
def change_bulk_act(number: int) -> str | Response:
    """Stop or resume an act, in the name of the logged-in member."""
    act, event, reason = _find(number), request.form.get("act", ""), _reason()
    if event not in ("stop", "resume"):
        abort(422)
    refusals = _wrong_reason(reason)
    if refusals:
        return make_response(_page(act, reason, refusals), 422)
    change = bulk_acts.stop if event == "stop" else bulk_acts.resume
    try:
        change(site().engine, number, actor(), reason)
    except EventNotPossible:
        flash(str(_CHANGED), "care")
    else:
        flash(str(_("停止しました。") if event == "stop" else _("再開しました。")))
    return redirect(url_for("staff.bulk_act", number=number), 303)


def _find(number: int) -> BulkAct:
    found = bulk_acts.bulk_act(site().engine, number) if number <= _LARGEST else None
    return found if found is not None else abort(404)


def _reason() -> str:
    return typed_reason(request.form).strip()


def _wrong_reason(reason: str) -> Sequence[Refusal]:
    if not one_line(reason):  # nothing, or nothing that can be seen
        return (_REASON_MISSING,)
    return (_REASON_LONG,) if len(reason) > _LONGEST_REASON else ()


def page_number(text: str) -> int:
    """The page that an address names; the first where it names none."""
    return max(int(text), 1) if text.isascii() and text.isdecimal() and len(text) < 7 else 1


def _choice(
    criteria: Criteria,
    pressed: str = "",
    reason: str = "",
    new_host: str = "",
    refusals: Sequence[Refusal] = (),
) -> str:
    engine = site().engine
    # With the moment of this look, so that what comes later is none of the act.
    criteria = replace(criteria, before=criteria.before or engine.store.now())
    seen = bulk_acts.foresee(engine, "retry", criteria, _EXAMPLES)
    offered = [_offered("retry", seen), _offered("skip", bulk_acts.foresee(engine, "skip", criteria, 0))]
    if criteria.host:
        offered.insert(1, _offered("amend", bulk_acts.foresee(engine, "amend", criteria, 0)))
    return render_template(
        "staff/bulk_choice.html",
        criteria=incident_criteria.in_words(criteria),
        fields=incident_criteria.as_fields(criteria),
        count=seen.count,
        examples=shown(seen.examples, subjects=True),
        acts=[one for one in offered if one.count],
        pressed=pressed,
        reason=reason,
        new_host=new_host,
        refusals=refusals,
        host=criteria.host,
        you=names_of({str(actor())})[str(actor())],
    )


def _offered(act: str, seen: Foreseen) -> Offered:
    return Offered(act, _TITLES[act], _MEANINGS[act], seen.count, seen.left_out)


def shown_act(act: BulkAct) -> ShownAct:
    """An act as pages show it."""
    names = names_of({one for one in (act.actor, act.changed_by) if one})
    return ShownAct(
        act.number,
        _TITLES[act.act],
        _STATES[act.state],
        act.state == "running",
        act.state == "stopped",
        incident_criteria.in_words(act.criteria),
        act.new_host,
        names[act.actor],
        act.reason,
        local_time(act.begun_at),
        local_time(act.changed_at),
        names[act.changed_by] if act.changed_by else "",
        act.changed_reason,
        act.total,
        act.done,
        act.settled,
        act.refused,
        act.left,
    )


def _page(act: BulkAct, reason: str = "", refusals: Sequence[Refusal] = ()) -> str:
    page = page_number(request.args.get("page", ""))
    refused = bulk_acts.refused(site().engine, act.number, _ON_A_PAGE + 1, (page - 1) * _ON_A_PAGE)
    return render_template(
        "staff/bulk_act.html",
        act=shown_act(act),
        refused_items=refused[:_ON_A_PAGE],
        page=page,
        more=len(refused) > _ON_A_PAGE,
        reason=reason,
        refusals=refusals,
        you=names_of({str(actor())})[str(actor())],
    )

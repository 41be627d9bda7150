"""Incidents: what the engine gave up, in words, and how staff can settle it. Each act needs a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from engine import operations
from engine.definition import Refusal
from engine.errors import EventNotPossible, Refused, UnknownEffect
from engine.operations import bulk_acts
from engine.operations.incidents import Incident
from engine.text import Text, _
from web.http.areas import STAFF_MENU
from web.http.current import local_time, site
from web.http.who_may import staff_only
from web.staff import incident_criteria
from web.staff.area import actor, pages
from web.staff.bulk_acts import page_number, shown_act
from web.staff.incident_words import definition_of, is_timer, shown
from workflows.business.access.actor_names import names_of
from workflows.business.typed import email
from workflows.ports.troubles import EXTENSION, troubles

_ON_A_PAGE, _LAST_ACTS = 20, 3
_CRITERIA = ("channel", "workflow", "code", "host", "age", "before", "after")
_LONGEST_REASON = 1000
_REASON_MISSING = Refusal("reason_missing", _("理由をご入力ください。"), "reason")
_REASON_LONG = Refusal("reason_long", _("理由は%(most)s文字以内でご入力ください。", most=_LONGEST_REASON), "reason")
_NOT_POSSIBLE = Refusal("not_possible", _("この操作は、このインシデントには行えません。"))
_DONE_BY_OTHERS = _("このインシデントは、すでに処理されています。")


@dataclass(frozen=True, slots=True)
class Act:
    """One way to settle an incident, in words."""

    name: str
    title: Text
    meaning: Text


RETRY = Act(
    "retry", _("もう一度試す"), _("原因が解消したときに使います。すぐに再度実行し、新しい期限まで繰り返し試します。")
)
SKIP = Act(
    "skip",
    _("取りやめる"),
    _("別の方法でお伝えした場合などに使います。この処理は二度と実行されません。後に続く処理は進みます。"),
)
RETRY_EVENT = Act(
    "retry",
    _("手続きをもう一度進める"),
    _("原因が解消したときに使います。処理は完了しているため再度実行せず、手続きだけを進めます。"),
)
SKIP_EVENT = Act(
    "skip",
    _("手続きを進めずに終える"),
    _("別の方法で対応した場合などに使います。処理は完了したままで、手続きは今の状態に留まります。"),
)
AMEND = Act(
    "amend",
    _("宛先を訂正して試す"),
    _(
        "メールアドレスが誤っていたときに使います。訂正した宛先へ送り直します。メール内のURLは新しくなり、古いURLは無効になります。"
    ),
)


@dataclass(frozen=True, slots=True)
class Silent:
    """A plugin that does not answer, as the page shows it."""

    what: Text | str
    name: str
    since: str
    tried: str
    reason: str


@pages.get("/incidents")
@pages.in_menu(STAFF_MENU, 30, _("インシデント"))
@staff_only
def incidents() -> str:
    """The open incidents that meet the chosen criteria, the oldest first; the plugins that do not answer, from which
    incidents may follow; and the last acts on many of them."""
    engine = site().engine
    criteria = incident_criteria.criteria_in(request.args)
    with engine.at_one_moment():
        figures = operations.incidents.figures(engine)
        total = operations.incidents.count(engine, criteria, figures)
        page = min(page_number(request.args.get("page", "")), max((total + _ON_A_PAGE - 1) // _ON_A_PAGE, 1))
        first = (page - 1) * _ON_A_PAGE
        listed = operations.incidents.incidents(engine, criteria, _ON_A_PAGE, first, total)
    asked = {name: value for name, value in request.args.items() if value and name in _CRITERIA}
    return render_template(
        "staff/incidents.html",
        incidents=shown(listed),
        total=total,
        open=sum(one.count for one in figures),
        page=page,
        first=first + 1,
        more=page * _ON_A_PAGE < total,
        asked=asked,
        narrowed=incident_criteria.is_narrowed(criteria),
        criteria=incident_criteria.in_words(criteria),
        channels=incident_criteria.channels(figures),
        reasons=incident_criteria.reasons(figures),
        ages=[(name, title) for name, (title, _bound, _length) in incident_criteria.AGES.items()],
        acts=[shown_act(one) for one in bulk_acts.bulk_acts(engine, _LAST_ACTS)],
        **_silent(),
    )


def _silent() -> dict[str, list[Silent]]:
    """The plugins that do not answer, and the extensions of procedures that fail."""
    found: dict[str, list[Silent]] = {"silent": [], "failing": []}
    for one in troubles(site().clock()):
        line = Silent(one.title, one.name, local_time(one.since), local_time(one.told_at), one.reason)
        found["failing" if one.kind == EXTENSION else "silent"].append(line)
    return found


@pages.get("/incidents/<ref>")
@staff_only
def incident(ref: str) -> str | Response:
    """One incident, and the meaning of each act."""
    incident = _find(ref)
    return _gone() if incident is None else _page(incident)


@pages.post("/incidents/<ref>")
@staff_only
def act_on_incident(ref: str) -> str | Response:
    """Carry an act out, in the name of the logged-in member. An incident that was settled before is told."""
    incident = _find(ref)
    if incident is None:
        return _gone()
    act = next((act for act in _acts(incident) if act.name == request.form.get("act")), None)
    if act is None:
        abort(422)
    reason = request.form.get("reason", "").replace("\0", "").strip()
    typed = request.form.get("address", "")
    address = email(typed) if act is AMEND else ""
    refusals = []
    if not reason or len(reason) > _LONGEST_REASON:
        refusals.append(_REASON_LONG if reason else _REASON_MISSING)
    if isinstance(address, Refusal):
        refusals.append(address)
    if refusals:
        return make_response(_page(incident, act.name, reason, typed, refusals), 422)
    try:
        _carry_out(act, incident, reason, str(address))
    except UnknownEffect:
        return _gone()
    except Refused as refused:
        return make_response(_page(incident, act.name, reason, typed, list(refused.refusals)), 422)
    except EventNotPossible:
        return make_response(_page(incident, act.name, reason, typed, [_NOT_POSSIBLE]), 409)
    flash(str(_("処理しました。")))
    return redirect(url_for("staff.incidents"), 303)


def _carry_out(act: Act, incident: Incident, reason: str, address: str) -> None:
    engine, who = site().engine, actor()
    ways: dict[str, Callable[[], None]] = {
        "retry": lambda: operations.incidents.retry(engine, incident.ref, who, reason),
        "skip": lambda: operations.incidents.skip(engine, incident.ref, who, reason),
        "amend": lambda: operations.incidents.amend(engine, incident.ref, who, reason, address),
    }
    ways[act.name]()


def _gone() -> Response:
    flash(str(_DONE_BY_OTHERS), "care")
    return redirect(url_for("staff.incidents"), 303)


def _find(ref: str) -> Incident | None:
    return operations.incidents.incident(site().engine, ref)


def _acts(incident: Incident) -> tuple[Act, ...]:
    """The acts that are possible: a timer cannot be skipped, only some addresses can be corrected here, and a delivered
    effect is not delivered again."""
    if is_timer(incident):
        return (RETRY,)
    if incident.delivered:
        return (RETRY_EVENT, SKIP_EVENT)
    definition = definition_of(incident)
    recipient = definition.recipients.get(incident.recipient) if definition is not None else None
    effect = definition.effects.get(incident.what) if definition is not None else None
    # A new link for the copy would kill the one that the addressee has.
    others_link = incident.copy and effect is not None and bool(effect.link)
    can_amend = recipient is not None and recipient.amend is not None and not others_link
    return (RETRY, AMEND, SKIP) if can_amend else (RETRY, SKIP)


def _page(
    incident: Incident, pressed: str = "", reason: str = "", address: str = "", refusals: list[Refusal] | None = None
) -> str:
    return render_template(
        "staff/incident.html",
        incident=shown([incident], subjects=True)[0],
        acts=_acts(incident),
        pressed=pressed,
        reason=reason,
        address=address,
        refusals=refusals or [],
        you=names_of({str(actor())})[str(actor())],
    )

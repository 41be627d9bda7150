"""Pauses: what is paused, since when and why; pausing, and resuming after seeing what will fire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flask import flash, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from engine.configuration import one_line
from engine.definition import Refusal, Workflow
from engine.errors import EventNotPossible, Forbidden, UnknownInstance
from engine.operations.pauses import (
    RESUME_EVENT,
    OneChannel,
    OneInstance,
    OneVersion,
    Pause,
    Resuming,
    Scope,
    acts,
    looking,
)
from engine.runtime.operators import nowhere
from engine.runtime.pauses.scopes import WaitingEffect
from engine.text import Text, _
from web.http.areas import NUMBER
from web.http.current import local_time, site
from web.http.who_may import staff_only
from web.staff.area import actor, page_number, pages
from web.staff.channel_words import channel_title, recipient_title, work_title
from web.staff.history import event_title
from web.staff.review import age
from workflows.business.access.actor_names import names_of
from workflows.business.request_number import read_request_number, request_number

_LONGEST_REASON = 1000
_MOST = 20  # timers and effects that a page names each
_ON_A_PAGE = 20
_MOST_PAGES = 5000
_REASON_MISSING = Refusal("reason_missing", _("理由をご入力ください。"), "reason")
_REASON_LONG = Refusal("reason_long", _("理由は%(most)s文字以内でご入力ください。", most=_LONGEST_REASON), "reason")
_NOTHING_CHOSEN = Refusal("nothing_chosen", _("一時停止するものをお選びください。"), "what")
_NO_INSTANCE = Refusal("no_instance", _("この受付番号の手続きはありません。"), "what")
_NOT_NOW = Refusal("not_now", _("すでに一時停止しているか、手続きが終了しているため、一時停止できません。"), "what")
_ENDED_BY_OTHERS = _("この一時停止は、すでに終了しています。")


@dataclass(frozen=True, slots=True)
class Shown:
    """A pause as pages show it."""

    number: int
    what: Text | str
    since: str
    age: str
    who: Text | str
    reason: str


@dataclass(frozen=True, slots=True)
class Fires:
    """A timer that fires on resuming."""

    instance_id: int
    title: Text | str
    due: str


@dataclass(frozen=True, slots=True)
class Waits:
    """An effect that is delivered on resuming, in people's words; `delivered` is whether only what follows is due."""

    instance_id: int
    what: Text | str
    recipient: Text | str
    delivered: bool


@pages.get("/workflows/pauses")
@staff_only
def pauses() -> str:
    """What is paused, and a form to pause more; `?instance=` prefills the number of an instance."""
    text = request.args.get("instance", "")
    return _list(f"instance {text}" if text else "")


@pages.post("/workflows/pauses")
@staff_only
def begin_pause() -> str | Response:
    """Pause what was chosen, in the name of the logged-in member."""
    what, number, reason = request.form.get("what", ""), request.form.get("instance", "").strip(), _reason()
    scope = _one_instance(number) if what == "instance" else _choices().get(what, (_NOTHING_CHOSEN, ""))[0]
    refusals = list(_wrong_reason(reason))
    if isinstance(scope, Refusal):
        refusals.insert(0, scope)
    if refusals or isinstance(scope, Refusal):
        return make_response(_list(what, number, reason, refusals), 422)
    try:
        acts.pause(site().engine, scope, actor(), reason)
    except UnknownInstance:
        return make_response(_list(what, number, reason, [_NO_INSTANCE]), 422)
    except EventNotPossible:
        return make_response(_list(what, number, reason, [_NOT_NOW]), 409)
    flash(str(_("一時停止しました。")))
    return redirect(url_for("staff.pauses"), 303)


@pages.get(f"/workflows/pauses/<{NUMBER}:number>")
@staff_only
def pause(number: int) -> str | Response:
    """One pause, and what will fire when it ends."""
    pause = _find(number)
    return _gone() if pause is None else _page(pause)


@pages.post(f"/workflows/pauses/<{NUMBER}:number>")
@staff_only
def end_pause(number: int) -> str | Response:
    """Resume, in the name of the logged-in member. A pause that ended before is told."""
    pause = _find(number)
    if pause is None:
        return _gone()
    reason = _reason()
    refusals = _wrong_reason(reason)
    if refusals:
        return make_response(_page(pause, reason, refusals), 422)
    try:
        acts.resume(site().engine, pause.scope, actor(), reason)
    except EventNotPossible:
        return _gone()
    flash(str(_("再開しました。")))
    return redirect(url_for("staff.pauses"), 303)


def _reason() -> str:
    return request.form.get("reason", "").replace("\0", "").strip()


def _wrong_reason(reason: str) -> Sequence[Refusal]:
    if not one_line(reason):  # nothing, or nothing that can be seen
        return (_REASON_MISSING,)
    return (_REASON_LONG,) if len(reason) > _LONGEST_REASON else ()


def _one_instance(number: str) -> Scope | Refusal:
    instance_id = read_request_number(number)
    return OneInstance(instance_id) if isinstance(instance_id, int) else replace(instance_id, field="what")


def _choices() -> Mapping[str, tuple[Scope | Refusal, Text | str]]:
    """The scopes that can be chosen from a list, by name, with their titles."""
    engine = site().engine
    versions = [OneVersion(name, version) for name, version in sorted(engine.workflows)]
    scopes: list[Scope] = [*versions, *acts.channels(engine)]
    return {str(scope): (scope, scope_title(scope)) for scope in scopes}


def scope_title(scope: Scope) -> Text | str:
    """The scope of a pause, in words."""
    engine = site().engine
    if isinstance(scope, OneInstance):
        return _("手続き %(number)s", number=request_number(scope.number))
    if isinstance(scope, OneVersion):
        definition = engine.workflows.get((scope.workflow, scope.version))
        title = definition.title if definition is not None and definition.title is not None else scope.workflow
        return _("%(title)s（版%(version)s）", title=title, version=scope.version)
    return channel_title(str(scope).removeprefix("channel "))


def _may(scope: Scope | None) -> bool:
    """Whether the logged-in member may pause and resume this scope; any scope at all, where it is None."""
    engine = site().engine
    instance = nowhere(scope.workflow, scope.version) if isinstance(scope, OneVersion) else nowhere()
    with engine.store.reading() as unit:
        if isinstance(scope, OneInstance):
            instance = engine.store.read(unit, scope.number)[0]
        try:
            engine.operators.require(unit, instance, actor(), RESUME_EVENT, engine.store.now())
        except Forbidden:
            return False
    return True


def _find(number: int) -> Pause | None:
    return looking.pause_numbered(site().engine, number)


def _gone() -> Response:
    flash(str(_ENDED_BY_OTHERS), "care")
    return redirect(url_for("staff.pauses"), 303)


def _shown(pauses: Sequence[Pause]) -> list[Shown]:
    now, names = site().clock(), names_of({one.actor for one in pauses})
    return [
        Shown(
            one.number,
            scope_title(one.scope),
            local_time(one.since),
            age(one.since, max(now, one.since)),
            names[one.actor],
            one.reason,
        )
        for one in pauses
    ]


def _you() -> Text | str:
    return names_of({str(actor())})[str(actor())]


def _list(what: str = "", number: str = "", reason: str = "", refusals: Sequence[Refusal] = ()) -> str:
    if what.startswith("instance "):
        what, number = "instance", what.removeprefix("instance ")
    page = page_number(_MOST_PAGES)
    found = looking.paused(site().engine, _ON_A_PAGE + 1, (page - 1) * _ON_A_PAGE)
    return render_template(
        "staff/pauses.html",
        pauses=_shown(found[:_ON_A_PAGE]),
        page=page,
        more=len(found) > _ON_A_PAGE,
        versions=[(name, title) for name, (scope, title) in _choices().items() if isinstance(scope, OneVersion)],
        channels=[(name, title) for name, (scope, title) in _choices().items() if isinstance(scope, OneChannel)],
        may=_may(None),
        what=what,
        number=number,
        reason=reason,
        refusals=refusals,
        you=_you(),
    )


def _page(pause: Pause, reason: str = "", refusals: Sequence[Refusal] = ()) -> str | Response:
    try:
        foreseen = looking.what_resumes(site().engine, pause.scope, _MOST)
    except EventNotPossible:
        return _gone()
    return render_template(
        "staff/pause.html",
        pause=_shown([pause])[0],
        instance_id=pause.scope.number if isinstance(pause.scope, OneInstance) else None,
        foreseen=foreseen,
        timers=_fires(foreseen),
        effects=_waiting(foreseen),
        may=_may(pause.scope),
        reason=reason,
        refusals=refusals,
        you=_you(),
    )


def _waiting(foreseen: Resuming) -> list[Waits]:
    engine = site().engine
    waits = []
    for one in foreseen.effects:
        with engine.store.reading() as unit:
            instance = engine.store.read(unit, one.instance_id)[0]
        definition = engine.workflows.get((instance.workflow, instance.version))
        waits.append(Waits(one.instance_id, _what(definition, one), recipient_title(one.recipient), one.delivered))
    return waits


def _what(definition: Workflow | None, one: WaitingEffect) -> Text | str:
    effect = definition.effects.get(one.name) if definition is not None else None
    if definition is None or effect is None:
        return one.name
    if effect.kind == "mail":
        return _("%(procedure)sのメール", procedure=definition.title or definition.name)
    return work_title(effect.kind)


def _fires(foreseen: Resuming) -> list[Fires]:
    engine = site().engine
    fires = []
    for timer in foreseen.timers:
        with engine.store.reading() as unit:
            instance = engine.store.read(unit, timer.instance_id)[0]
        definition = engine.workflows.get((instance.workflow, instance.version))
        title = event_title(definition, instance.state, timer.event)
        fires.append(Fires(timer.instance_id, title, local_time(timer.due_at)))
    return fires

"""Incidents in words: what did not happen, to whom, and why; and the criteria by which staff narrow them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.definition import Address, Instance, SiteAddress, Workflow
from engine.operations.census import instances
from engine.operations.incidents import TIMER, Incident
from engine.store.base import Unit
from engine.text import Text, _
from web.http.current import local_time, site
from web.staff.channel_words import recipient_title, work_title
from web.staff.history import event_title, state_title
from web.staff.review import age

log = logging.getLogger("tetsuzuki.staff")

_REASONS: Mapping[str, Text] = {
    "deadline": _("期限まで繰り返し試しましたが、完了できませんでした。"),
    "event_refused": _("完了しています。ただし、手続きを進めることができませんでした。"),
    "no_recipient": _("宛先のメールアドレスが、記録にありません。"),
    "no_plugin": _("この処理を行うプラグインが読み込まれていません。"),
    "no_definition": _("手続きの定義が読み込まれていません。"),
    "unknown_effect": _("手続きの定義に、この処理がありません。"),
    "render": _("メールの文面を作成できませんでした。"),
    "rule": _("手続きの規則に誤りがあります。"),
    "held": _("プラグインの検査で、メールの送信が止められました。"),
    "price_changed": _("料金が、お約束した料金から変わりました。"),
    "method_stopped": _("お支払い方法が、決済会社で使えなくなっています。"),
    "paid": _("成立しなかったお申し込みのお支払いを受け取っています。返金が必要です。"),
    "late": _("適用日を過ぎました。"),
    "contract_ended": _("適用日より前に、契約が終了します。"),
    "no_quote": _("料金を確認できませんでした。"),
}
_DELIVERED = _REASONS["event_refused"]
_REFUSED_BY_SERVER = _("相手のメールサーバーが受け取りを拒否しました。")
_BROKEN_RULE = _("自動処理の規則に誤りがあります。")
_SHORT: Mapping[str, Text] = {"deadline": _("期限切れ"), "event_refused": _("手続きが進まない")}


@dataclass(frozen=True, slots=True)
class Shown:
    """An incident as pages show it: `why` says in words what `error` says in those of the other side, and `language` is
    that of the mail's `subject`."""

    ref: str
    instance_id: int
    procedure: Text | str
    state: Text | str
    what: Text | str
    to: str
    role: Text | str
    attempts: int
    since: str
    age: str
    why: Text | str
    error: str
    delivered: bool
    subject: str = ""
    language: str = "ja"


def is_timer(incident: Incident) -> bool:
    """Whether the incident is a timer whose rule is broken."""
    return incident.kind == TIMER


def definition_of(incident: Incident) -> Workflow | None:
    """The definition that the procedure of an incident is pinned to; None where it is not loaded."""
    return site().engine.workflows.get((incident.workflow, incident.version))


def shown(incidents: Sequence[Incident], *, subjects: bool = False) -> list[Shown]:
    """Incidents as pages show them. With `subjects` a mail has its subject, rendered anew."""
    engine = site().engine
    with engine.store.reading() as unit:
        there = instances(unit, [one.instance_id for one in incidents])
        return [_shown(one, there.get(one.instance_id), unit, subjects) for one in incidents]


def _shown(incident: Incident, instance: Instance | None, unit: Unit, subjects: bool) -> Shown:
    definition = definition_of(incident)
    procedure = definition.title if definition is not None and definition.title is not None else incident.workflow
    return Shown(
        incident.ref,
        incident.instance_id,
        procedure,
        state_title(definition, incident.state),
        _what(incident, procedure, definition),
        _address(incident, instance, definition, unit),
        recipient_title(incident.recipient),
        incident.attempts,
        local_time(incident.since),
        age(incident.since, max(site().clock(), incident.since)),
        _why(incident),
        incident.error,
        incident.delivered,
        _subject(incident, definition, unit) if subjects and incident.kind == "mail" else "",
        incident.language or "ja",
    )


def _what(incident: Incident, procedure: Text | str, definition: Workflow | None) -> Text | str:
    if is_timer(incident):
        event = incident.what.removeprefix("timer ")
        return _("自動処理「%(event)s」", event=event_title(definition, incident.state, event))
    if incident.kind == "mail":
        if incident.copy:
            return _("%(procedure)sのメールの写し（Cc）", procedure=procedure)
        return _("%(procedure)sのメール", procedure=procedure)
    return _("%(procedure)s：%(work)s", procedure=procedure, work=work_title(incident.kind))


def _why(incident: Incident) -> Text | str:
    if is_timer(incident):
        return _BROKEN_RULE
    if incident.delivered:
        return _DELIVERED
    if incident.kind == "mail" and incident.reason.isdecimal():
        return _REFUSED_BY_SERVER
    return _REASONS.get(incident.reason, "")


def _address(incident: Incident, instance: Instance | None, definition: Workflow | None, unit: Unit) -> str:
    """The recipient's address, as the records have it now."""
    recipient = definition.recipients.get(incident.recipient) if definition is not None else None
    if recipient is None or instance is None:
        return ""
    try:
        address = recipient.address(instance, unit)
    except Exception as error:  # the rule is an author's, and may name what is gone
        log.info("no address of the incident %s: %s", incident.ref, type(error).__name__)
        return ""
    if isinstance(address, Address):
        return address.email
    return str(getattr(site().organisation, address.name, "")) if isinstance(address, SiteAddress) else ""


def _subject(incident: Incident, definition: Workflow | None, unit: Unit) -> str:
    effect = definition.effects.get(incident.what) if definition is not None else None
    if definition is None or effect is None:
        return ""
    try:
        instance = site().engine.store.read(unit, incident.instance_id)[0]
        figures, language = json.loads(incident.figures), incident.language or "ja"
        return site().dispatcher.renderer.subject(definition, effect, instance, unit, figures, language)
    except Exception as error:  # a template or a rule is the author's, and may name what is gone
        log.info("no subject of the incident %s: %s", incident.ref, type(error).__name__)
        return ""


def reason_title(reason: str) -> Text | str:
    """The code of a reason as it is chosen; what the servers of others say stays as it is."""
    return _SHORT.get(reason, reason)

"""A customer's details, and the input of a change of them, normalised (G33)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b

from engine.definition import Refusal
from engine.text import _
from workflows.business.catalogue import BILLING_MODES, LANGUAGE_TITLES
from workflows.business.records import Customer
from workflows.business.shared.change_request import DETAIL_LABELS
from workflows.business.typed import machine_readable, phone, postcode, single_line

REQUIRED = ("company", "contractor_name", "contractor_phone", "contractor_postcode", "contractor_address")
_POSTCODES = ("contractor_postcode", "billing_postcode")
_PHONES = ("contractor_phone",)
_CHOICES: Mapping[str, Mapping[str, object]] = {"billing_mode": BILLING_MODES, "contractor_language": LANGUAGE_TITLES}


@dataclass(frozen=True, slots=True)
class DetailsInput:
    """The whole form, with its new values. `seen` is the `shown_digest` of the values with which the form was
    prefilled."""

    company: str
    contractor_name: str
    contractor_person: str
    contractor_phone: str
    contractor_postcode: str
    contractor_address: str
    contractor_language: str
    billing_name: str
    billing_postcode: str
    billing_address: str
    billing_mode: str
    seen: str

    @property
    def values(self) -> dict[str, str]:
        """The details by column."""
        values: dict[str, str] = asdict(self)
        values.pop("seen")
        return values


def details_of(customer: Customer) -> dict[str, str]:
    """The present details of a customer, by column."""
    return {name: str(getattr(customer, name)) for name in DETAIL_LABELS}


def shown_digest(details: Mapping[str, str]) -> str:
    """A digest of details: a form that shows others, as in a second browser, has another one."""
    content = json.dumps(dict(details), sort_keys=True, ensure_ascii=True)
    return blake2b(content.encode(), digest_size=16).hexdigest()


def read(typed: Mapping[str, str], known: Mapping[str, str], seen: str) -> DetailsInput | tuple[Refusal, ...]:
    """The typed details, normalised; or every refusal.

    A value that is in `known` already is accepted as it is: a record may be older than the rules for what is typed
    today.
    """
    values: dict[str, str] = {}
    refusals: list[Refusal] = []
    for name in DETAIL_LABELS:
        text = typed.get(name, "")
        value = text if text == known.get(name) and text else _value(name, text)
        if isinstance(value, Refusal):
            refusals.append(value)
        else:
            values[name] = value
    return tuple(refusals) if refusals else DetailsInput(**values, seen=seen)


def _value(name: str, text: str) -> str | Refusal:
    most: int = getattr(Customer, name).max_length
    choices = _CHOICES.get(name)
    if choices is not None:
        return text if text in choices else Refusal(f"{name}_invalid", _("どちらかをお選びください。"), name)
    contact = name in _POSTCODES or name in _PHONES
    line = machine_readable(text) if contact else single_line(text, name, most)
    if isinstance(line, Refusal):
        return line
    if not line:
        missing = Refusal(f"{name}_missing", _("%(title)sをご入力ください。", title=DETAIL_LABELS[name]), name)
        return missing if name in REQUIRED else ""
    if name in _POSTCODES:
        return postcode(line, name)
    return phone(line, name, most) if name in _PHONES else line

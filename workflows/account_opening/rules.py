"""The rules of アカウント開設のご案内: whose turn it is, who needs no invitation, what the account is made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from engine.definition import (
    NOBODY,
    Address,
    Attempt,
    Conflict,
    Instance,
    Nobody,
    Recipient,
    Records,
    Refusal,
    needs_input,
)
from engine.text import _
from workflows.account_opening.records import Opening, Wave
from workflows.business.customer_aliases import customer_about
from workflows.business.permissions import ADMIN, VIEWER, customer_of
from workflows.business.records import OPEN, Account, Customer, QuietCustomer
from workflows.business.required import required
from workflows.business.shared import languages
from workflows.business.shared.removed_customers import locked_customer

LINK_LIFE = timedelta(hours=24)
LATE = timedelta(minutes=10)  # mails of so much time may go out together, where a worker stood still; no more

HAS_ACCOUNT = Refusal("has_account", _("このお客様には、すでにアカウントがあります。"))
REMOVED = Refusal("removed", _("このお客様は、削除されています。"))
ALREADY_INVITED = Refusal("already_invited", _("このお客様には、すでにご案内しています。"))
WAVE_UNDONE = Refusal("wave_undone", _("このご案内は取り消されています。"))
ADDRESS_TAKEN = Refusal(
    "address_taken",
    _("このメールアドレスのアカウントは、すでに作成されています。ログイン画面からログインしてください。"),
)
HAS_NO_ACCOUNT = Refusal("has_no_account", _("このお客様には、まだアカウントがありません。"))
GOES_ON = Refusal("wave_goes_on", _("このご案内は取り消されていません。"))
IN_TIME = Refusal("in_time", _("このご案内の時刻は変わっていません。"))

ONE_INVITATION_AT_A_TIME = Conflict("opening", ("slot",), ALREADY_INVITED)
ONE_ACCOUNT_PER_ADDRESS = Conflict("account", ("customer_id", "email"), ADDRESS_TAKEN)


def wave_goes_on(attempt: Attempt) -> Refusal | None:
    """Nobody is invited by a wave that was undone; the wave is locked, so that none slips through meanwhile."""
    opening = attempt.records.get(Opening, id=attempt.data.opening)
    if opening is None:
        return WAVE_UNDONE
    attempt.records.lock_rows(Wave, id=opening.wave_id)
    wave = attempt.records.get(Wave, id=opening.wave_id)
    return WAVE_UNDONE if wave is None or wave.undone_at is not None else None


def taken_back(attempt: Attempt) -> Refusal | None:
    """The wave was undone, perhaps by a command that was killed before it came here; or the customer was removed."""
    wave = _wave(_opening_before(attempt), attempt.records)
    return None if wave is None or wave.undone_at is not None else GOES_ON


def turn_has_moved(attempt: Attempt) -> Refusal | None:
    """The turn is later than it was, or so long ago that too many would be mailed at once."""
    waits = _turn_of(attempt) - attempt.now
    return None if waits > timedelta(0) or -waits > LATE else IN_TIME


def place_is_free(attempt: Attempt) -> Refusal | None:
    """Each place is taken up once, however often and by how many the wave is begun."""
    opening = attempt.records.get(Opening, id=attempt.data.opening)
    return ALREADY_INVITED if opening is None or opening.instance is not None else None


def customer_has_no_account(attempt: Attempt) -> Refusal | None:
    """Who has an account needs no invitation."""
    return HAS_ACCOUNT if _has_account(attempt, customer_of(attempt.instance.about, attempt.records)) else None


def customer_has_an_account(attempt: Attempt) -> Refusal | None:
    """Somebody opened one meanwhile without being invited."""
    return None if _has_account(attempt, _customer_id(attempt)) else HAS_NO_ACCOUNT


def _has_account(attempt: Attempt, customer: int | None) -> bool:
    return attempt.records.exists(Account, customer=customer)


def _customer_id(attempt: Attempt) -> int | None:
    """The customer who is invited: who was merged into another one is that one."""
    opening = _opening_before(attempt)
    return opening.customer_id if opening is not None else customer_of(attempt.instance.about, attempt.records)


def address_is_still_free(attempt: Attempt) -> Refusal | None:
    """Somebody may have applied for the same address; who completes first wins, `ONE_ACCOUNT_PER_ADDRESS` decides."""
    opening = _opening_before(attempt)
    if opening is None or opening.email is None:
        return ADDRESS_TAKEN if opening is not None else WAVE_UNDONE
    taken = attempt.records.exists(Account, customer=opening.customer_id, email=opening.email)
    return ADDRESS_TAKEN if taken else None


def take_the_place(attempt: Attempt) -> None:
    """The invitation is for the contractor as they are now; while it is open there is no other of this customer. Raises
    Refused where the customer was removed."""
    records = attempt.records
    customer = required(locked_customer(records, customer_of(attempt.instance.about, records)), REMOVED)
    records.update(
        Opening,
        {"id": attempt.data.opening},
        instance=attempt.instance.id,
        slot=customer.id,
        **_contractor(customer),
    )


def address_as_it_is(attempt: Attempt) -> None:
    """The mail is for the contractor as they are now: a wave may take days, in which customers move."""
    records, opening = attempt.records, required(_opening_before(attempt), WAVE_UNDONE)
    customer = required(records.get(Customer, id=opening.customer_id), WAVE_UNDONE)
    contractor = _contractor(customer)
    if contractor["email"] and contractor != {"email": opening.email, "user_name": opening.user_name}:
        records.update(Opening, {"instance": attempt.instance.id}, **contractor)


def _contractor(customer: Customer) -> dict[str, str]:
    return {
        "email": customer.contractor_email,
        "user_name": (customer.contractor_person or customer.contractor_name)[:100],
    }


def keep_the_pace(attempt: Attempt) -> None:
    """Who is late moves the wave on, by so much that it is their turn now; the others follow at the pace."""
    opening = required(_opening_before(attempt), WAVE_UNDONE)
    attempt.records.lock_rows(Wave, id=opening.wave_id)
    wave = required(_wave(opening, attempt.records), WAVE_UNDONE)
    late = attempt.now - turn(wave, opening.place)
    if late > LATE:
        attempt.records.update(Wave, {"id": wave.id}, begins_at=wave.begins_at + late)


def let_hear(attempt: Attempt) -> None:
    """Who was invited hears of notices from now on, as every customer does."""
    attempt.records.delete(QuietCustomer, customer=_customer_id(attempt))


@needs_input
def create_account(attempt: Attempt) -> None:
    """The account of the invited; a customer's first one is 管理, and so is one where no 管理 may be used.

    The customer's row is locked, so that two first accounts at once cannot both be the first, and none is created of a
    customer who is removed at the same moment.
    """
    records, chosen = attempt.records, attempt.data
    opening = required(_opening_before(attempt), ADDRESS_TAKEN)
    required(locked_customer(records, opening.customer_id), ADDRESS_TAKEN)
    another = records.exists(Account, customer=opening.customer_id, role=ADMIN, standing=OPEN)
    records.insert(
        Account,
        customer=opening.customer_id,
        email=opening.email,
        user_name=opening.user_name,
        password_hash=chosen.password_hash,
        role=VIEWER if another else ADMIN,
        language=chosen.language,
        created_at=attempt.now,
        terms_version=chosen.terms_version,
    )


def forget_address(attempt: Attempt) -> None:
    """The invitation is over: what is personal is the account's, or nobody's, and another invitation may follow."""
    attempt.records.update(Opening, {"instance": attempt.instance.id}, slot=None, email=None, user_name="")


def time_in_wave(attempt: Attempt) -> datetime:
    """When it is the customer's turn: so many an hour. At once where the customer was removed."""
    opening = _opening(attempt.instance, attempt.records)
    wave = _wave(opening, attempt.records)
    return attempt.at if opening is None or wave is None else turn(wave, opening.place)


def _turn_of(attempt: Attempt) -> datetime:
    opening = required(_opening_before(attempt), WAVE_UNDONE)
    return turn(required(_wave(opening, attempt.records), WAVE_UNDONE), opening.place)


def turn(wave: Wave, place: int) -> datetime:
    """When the customer at a place of a wave is mailed."""
    begins_at: datetime = wave.begins_at
    return begins_at + timedelta(hours=1) * place / wave.per_hour


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """What the mail shows."""
    customer = customer_about(customer_of(instance.about, records), records)
    return {"opening": _opening(instance, records), "customer": customer}


def _wave(opening: Opening | None, records: Records) -> Wave | None:
    wave: Wave | None = records.get(Wave, id=opening.wave_id) if opening is not None else None
    return wave


def _opening_before(attempt: Attempt) -> Opening | None:
    """The invitation as it was before this event wrote anything; read once."""
    if "opening" not in attempt.memo:
        attempt.memo["opening"] = _opening(attempt.instance, attempt.records)
    opening: Opening | None = attempt.memo["opening"]
    return opening


def _opening(instance: Instance, records: Records) -> Opening | None:
    opening: Opening | None = records.get(Opening, instance=instance.id)
    return opening


def _invited(instance: Instance, records: Records) -> Address | Nobody | None:
    opening = _opening(instance, records)
    if opening is None:
        return NOBODY  # it was ended by a merge of customers, or by the removal of theirs
    if opening.email is None:
        return None
    return Address(opening.email, languages.of_contractor(records.get(Customer, id=opening.customer_id)))


def _amend_invited(instance: Instance, records: Records, email: str) -> None:
    records.update(Opening, {"instance": instance.id}, email=email)


RECIPIENTS = {"invited": Recipient(languages.contractors, _invited, _amend_invited)}

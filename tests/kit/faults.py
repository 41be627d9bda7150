"""Everything that may be half done in a site's database, whatever the procedure: what must hold after any request.

To be asked when nothing is due: what timers and the outbox have not come to yet is not a fault.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import peewee as pw

from engine.operations.incidents import incidents
from engine.operations.stuck import stuck
from plugins.faq.records import FaqEntry
from web.assembly.site import Site
from workflows.account_creation.records import Application
from workflows.account_invitation.records import Invitation
from workflows.business import typed
from workflows.business.permissions import ADMIN, ROLES
from workflows.business.records import (
    Account,
    AddressChange,
    ChangeRequest,
    Contract,
    ContractChange,
    Customer,
    Mandate,
    PasswordReset,
    Session,
    StaffMember,
    StaffSession,
)
from workflows.notice.records import Notice, NoticeRevision

_REQUESTS = frozenset({"contract_change", "customer_details_change", "payment_method_change"})
_HOLDS_THE_ADDRESS = frozenset({"requested", "emailed", "confirmed"})


@dataclass(frozen=True)
class Standing:
    """Where a procedure stands."""

    workflow: str
    state: str
    final: bool


class Before(NamedTuple):
    """What there was before anything was tried: how many accounts no procedure had made, how many procedures that may
    remove any number of accounts, and the instances of mandates that no procedure had made."""

    accounts: int
    takers: int
    mandates: frozenset[int] = frozenset()


def faults(site: Site, before: Before, known: Collection[str] = ()) -> Iterator[str]:
    """A line for each. `known` are the incidents that there were before."""
    states = _states(site)
    yield from _engine(site, states, known)
    yield from _accounts(states, before)
    yield from _applications(site, states, before)
    yield from _invitations(states)
    yield from _requests(states)
    yield from _payments(states, before)
    yield from _addresses(states)
    yield from _notices(states)


def there_before(site: Site) -> Before:
    """What there is before anything is tried, by what procedures say of it."""
    states = _states(site)
    mandates = frozenset(row.instance for row in Mandate.select(Mandate.instance)) - states.keys()
    return Before(Account.select().count() - _grown(states), _takers(states), mandates)


def _states(site: Site) -> dict[int, Standing]:
    rows = site.db.execute_sql("SELECT id, workflow, version, state FROM instance").fetchall()
    return {
        number: Standing(workflow, state, site.engine.workflows[workflow, version].by_name[state].final)
        for number, workflow, version, state in rows
    }


def _of(states: dict[int, Standing], *workflows: str) -> dict[int, Standing]:
    return {number: standing for number, standing in states.items() if standing.workflow in workflows}


def _engine(site: Site, states: dict[int, Standing], known: Collection[str]) -> Iterator[str]:
    engine, applied = site.engine, _of(states, "account_creation").keys()
    for number in states:
        yield from (f"instance {number}: {fault}" for fault in engine.verify(number))
    asked = site.db.execute_sql("SELECT instance_id FROM request WHERE seq = 1 ORDER BY instance_id").fetchall()
    first = [number for (number,) in asked]
    if len(set(first)) != len(first) or not set(first) <= states.keys() or not applied <= set(first):
        yield "an instance without its one request, or with several"
    leased = site.db.execute_sql("SELECT count(*) FROM outbox WHERE state = 'leased'").fetchone()
    if leased[0]:
        yield f"{leased[0]} effects are still leased"
    yield from (f"stuck: {found}" for found in stuck(engine))
    # For the staff: whom nobody can tell any more, and what would cost something else than was confirmed.
    new = [found for found in incidents(engine) if found.ref not in known]
    untold = [found for found in new if not found.error.startswith(_MEANT)]
    yield from (f"an incident: {found}" for found in untold)


_MEANT = ("no_recipient", "price_changed")


def _grown(states: dict[int, Standing]) -> int:
    """How many accounts procedures have made and not removed one by one."""
    ways = ("account_creation", "account_invitation", "account_opening")
    activated = sum(one.state == "activated" for one in _of(states, *ways).values())
    return activated - _removed(states)


def _removed(states: dict[int, Standing]) -> int:
    """How many accounts were removed one by one: by an administrator, or because nobody confirmed them."""
    lapsed = sum(one.state in ("lapsing", "lapsed", "untold") for one in _of(states, "account_confirmation").values())
    return lapsed + len(_of(states, "account_removal"))


def _takers(states: dict[int, Standing]) -> int:
    """How many procedures have removed the accounts of a customer, or those that another one had as well."""
    return len(_of(states, "customer_removal", "customer_merge"))


def _accounts(states: dict[int, Standing], before: Before) -> Iterator[str]:
    there, grown = Account.select().count(), _grown(states)
    may_be_fewer = _takers(states) > before.takers
    if there > before.accounts + grown or (there < before.accounts + grown and not may_be_fewer):
        yield f"{there} accounts, of {before.accounts} made and {grown} activated and not removed"
    for account in Account.select():
        if typed.email(account.email) != account.email or typed.user_name(account.user_name) != account.user_name:
            yield f"an account with the address {account.email!r} and the name {account.user_name!r}"
        if account.role not in ROLES or not account.password_hash:
            yield f"an account with the role {account.role!r} and the hash {account.password_hash!r}"
    ruled = Account.select(Account.customer).where(Account.role == ADMIN)
    left = Account.select().where(Account.customer.not_in(ruled))
    yield from (f"customer {account.customer_id} has accounts and no administrator" for account in left)
    if Session.select().where(Session.account.not_in(Account.select(Account.id))).count():
        yield "a session of nobody"
    members = StaffMember.select(StaffMember.id).where(StaffMember.active == 1)
    if StaffSession.select().where(StaffSession.member.not_in(members)).count():
        yield "a session of no member of staff"


def _applications(site: Site, states: dict[int, Standing], before: Before) -> Iterator[str]:
    applications = {row.instance: row for row in Application.select()}
    creations = _of(states, "account_creation")
    activated = {number for number, one in creations.items() if one.state == "activated"}
    gone = activated - applications.keys()  # with the account that it became
    if len(gone) > _removed(states) and _takers(states) == before.takers:
        yield f"{len(gone)} applications are gone, and fewer accounts were removed"
    for number, one in creations.items():
        kept = applications.pop(number, None)
        if number not in gone and (kept is None) != (one.state == "expired"):
            yield f"instance {number} is {one.state}, its application is {kept}"
        elif kept is not None and bool(kept.password_hash) == (one.state == "activated"):
            yield f"instance {number} is {one.state}, and its application has {kept.password_hash!r} for a password"
    yield from (f"an application of no instance: {number}" for number in applications)
    outbox = site.db.execute_sql("SELECT instance_id, count(*) FROM outbox GROUP BY instance_id").fetchall()
    effects = {number: count for number, count in outbox if number in creations}
    wanted = {number: 2 if one.state == "activated" else 1 for number, one in creations.items()}
    if effects != wanted:
        yield f"effects {set(effects.items()) ^ set(wanted.items())}"


def _invitations(states: dict[int, Standing]) -> Iterator[str]:
    invitations = {row.instance: row for row in Invitation.select()}
    procedures = _of(states, "account_invitation")
    yield from (f"an invitation of no instance: {number}" for number in invitations.keys() - procedures.keys())
    for number, one in procedures.items():
        row = invitations.get(number)
        if not one.final and (row is None or row.email is None or not row.user_name or row.account_id is not None):
            yield f"invitation {number} is {one.state}, its row is {row and row.__data__}"
        if one.final and row is not None and (one.state != "activated" or row.email or row.user_name):
            yield f"invitation {number} is {one.state}, its row is {row.__data__}"


def _requests(states: dict[int, Standing]) -> Iterator[str]:
    asked = {row.instance: row for row in ChangeRequest.select()}
    procedures = _of(states, *_REQUESTS)
    if asked.keys() != procedures.keys():
        yield f"requests and procedures: {asked.keys() ^ procedures.keys()}"
    for number in asked.keys() & procedures.keys():
        if (asked[number].slot is None) != procedures[number].final:
            yield f"request {number} is {procedures[number].state}, its slot is {asked[number].slot}"
    for change in ContractChange.select():
        one, row = states[change.instance], asked[change.instance]
        if change.wish is not None and (one.final or row.kind != "order"):
            yield f"request {change.instance} ({row.kind}) is {one.state}, its wish is {change.wish}"
        if one.state == "applied" and change.booking != "applied":
            yield f"request {change.instance} is applied, its booking is {change.booking!r}"
    for contract in Contract.select():
        if not 1 <= contract.users <= 10**7 or contract.term not in ("monthly", "annual") or not contract.subdomain:
            yield f"a contract {contract.__data__}"
    for customer in Customer.select():
        address = "" if customer.removed_on is not None else typed.email(customer.contractor_email)
        if not customer.company or address != customer.contractor_email:
            yield f"a customer {customer.__data__}"


def _payments(states: dict[int, Standing], before: Before) -> Iterator[str]:
    rows = Mandate.select(Mandate, Contract).join(Contract, pw.JOIN.LEFT_OUTER)
    mandates = {row.instance: row for row in rows if row.instance not in before.mandates}
    orders = {number: one for number, one in _of(states, "contract_change").items() if number in mandates}
    changes = _of(states, "payment_method_change")
    if mandates.keys() - orders.keys() != changes.keys():
        yield f"mandates and procedures: {(mandates.keys() - orders.keys()) ^ changes.keys()}"
    for number, one in orders.items():
        if (one.state == "applied") != (mandates[number].in_use is not None):
            yield f"order {number} is {one.state}, and its method is in use for {mandates[number].in_use}"
    procedures = {**changes, **orders}
    for number in mandates.keys() & procedures.keys():
        one, mandate = procedures[number], mandates[number]
        if mandate.in_use is not None and (one.state != "applied" or mandate.ended_on is not None):
            yield f"request {number} is {one.state}, its mandate is in use until {mandate.ended_on}"
        if mandate.in_use is not None and mandate.in_use != mandate.contract_id:
            yield f"a mandate of contract {mandate.contract_id} is in use for {mandate.in_use}"
        paid_by = mandate.contract.payment_method if mandate.contract is not None else ""
        if mandate.in_use is not None and paid_by != mandate.method:
            yield f"{mandate.method} is in use for a contract that is paid by {paid_by}"
        if one.final and mandate.in_use is None and mandate.sealed:
            yield f"request {number} is {one.state}, and what was sealed for it is kept"


def _addresses(states: dict[int, Standing]) -> Iterator[str]:
    for change in AddressChange.select():
        one = states.get(change.instance)
        if one is None or (change.slot is not None and one.state not in _HOLDS_THE_ADDRESS):
            yield f"change of address {change.instance} is {one}, its slot is {change.slot}"
    for reset in PasswordReset.select():
        one = states.get(reset.instance)
        if one is None or one.workflow != "password_reset" or one.final:
            yield f"the link of {reset.instance} may set a password, and it is {one}"


def _notices(states: dict[int, Standing]) -> Iterator[str]:
    counted: dict[str, int] = dict(
        NoticeRevision.select(NoticeRevision.notice, pw.fn.COUNT(NoticeRevision.id))
        .group_by(NoticeRevision.notice)
        .tuples()
        .iterator()
    )
    for notice in Notice.select():
        one = states.get(notice.instance)
        if one is None or one.workflow != "notice" or counted.get(notice.id) != notice.revision:
            yield f"notice {notice.id}: {one}, {counted.get(notice.id)} revisions of {notice.revision}"
    for entry in FaqEntry.select():
        one = states.get(entry.instance)
        if one is None or one.workflow != "faq_entry" or (entry.shown == 1) != (one.state == "shown"):
            yield f"question {entry.id}: {one}, shown {entry.shown}"

"""A removal against what happens at the same moment, on PostgreSQL: the lock of the customer's row decides.

Each test begins the removal where the other side has read and not yet written, or the other way round, and says what is
there in the end. On SQLite writers take turns anyway.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from importlib import import_module
from threading import Event, Thread
from typing import Any

import pytest

from engine.attempt import Actor, Secret
from engine.errors import EngineError
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import EMAIL, PASSWORD, SUBDOMAIN, add_customer
from tests.kit.contract_scenes import PLUGINS, do_all_due, ordered, request, staff
from tests.kit.customer_files import FULL, sheet
from tests.kit.members import add_account
from tests.kit.sites import SiteMaker
from tests.kit.waiting import PATIENCE, until
from web.assembly.site import Site
from workflows.account_creation.inputs import ApplicationInput
from workflows.account_creation.records import Application
from workflows.account_invitation.inputs import InvitationInput
from workflows.account_invitation.records import Invitation
from workflows.business.customer_file.importing import import_customers
from workflows.business.records import Account, ChangeRequest, Contract, Customer, Session, StaffAct
from workflows.business.shared.staff_acts import StaffActInput


@pytest.fixture
def site(make_site: SiteMaker, postgres_url: str, clock: Clock, mailer: MemoryMailer) -> Site:
    made = make_site(postgres_url, clock=clock, mailer=mailer, plugins=PLUGINS)
    add_account(made, add_customer(), "admin")
    return made


class Aside:
    """Something in another thread, with its own connection; what it raised."""

    def __init__(self, site: Site, act: Callable[[], Any]) -> None:
        self.error: EngineError | None = None
        self.result: Any = None

        def run() -> None:
            try:
                self.result = act()
            except EngineError as error:
                self.error = error
            finally:
                site.db.close()

        self.thread = Thread(target=run)
        self.thread.start()

    def end(self) -> Aside:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        return self


class Held:
    """A function that waits, the first time, before it does its work, or `after` it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: str, name: str, *, after: bool = False) -> None:
        self.reached, self.goes_on = Event(), Event()
        where = import_module(module)
        does = getattr(where, name)

        def late(*given: Any, **more: Any) -> Any:
            done = does(*given, **more) if after else None
            if not self.reached.is_set():
                self.reached.set()
                assert self.goes_on.wait(PATIENCE)
            return done if after else does(*given, **more)

        monkeypatch.setattr(where, name, late)


def end_all(site: Site) -> None:
    Contract.update(ended_on=site.services.calendar.today(site.clock()) - timedelta(days=1)).execute()


def remove(site: Site, by: Actor) -> int:
    about = f"customer:{Customer.get().id}"
    return site.engine.start("customer_removal", about, by, StaffActInput("ご解約のため")).instance_id


def waits_for_a_lock(site: Site) -> bool:
    sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    (waiting,) = site.db.execute_sql(sql).fetchone()
    return bool(waiting)


def application(of: Customer) -> ApplicationInput:
    return ApplicationInput(of.id, "見本 三郎", "saburo@customer.example", Secret("$argon2id$x"))


def applied(site: Site) -> tuple[int, Actor]:
    of = Customer.get()
    number = site.engine.start("account_creation", f"customer:{of.id}", Actor("visitor"), application(of)).instance_id
    return number, Actor("link", proof=site.engine.link(site.engine.look(number).instance))


def test_an_activation_that_begins_meanwhile_waits_and_makes_no_account(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    by, (number, link) = staff(), applied(site)
    end_all(site)
    held = Held(
        monkeypatch, "workflows.business.shared.staff_acts", "required"
    )  # the removal has written all but its act
    removing = Aside(site, lambda: remove(site, by))
    assert held.reached.wait(PATIENCE)
    activation = Aside(site, lambda: site.engine.fire(number, "activate", link))
    until(lambda: waits_for_a_lock(site), "the lock")
    held.goes_on.set()
    assert removing.end().error is None
    assert activation.end().error is not None
    assert (Account.select().count(), Application.select().count()) == (0, 0)


def test_an_account_that_is_made_first_goes_with_the_removal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    by, (number, link) = staff(), applied(site)
    end_all(site)
    held = Held(monkeypatch, "workflows.account_creation.rules", "_place_of", after=True)
    activation = Aside(site, lambda: site.engine.fire(number, "activate", link))
    assert held.reached.wait(PATIENCE)
    removing = Aside(site, lambda: remove(site, by))
    until(lambda: waits_for_a_lock(site), "the lock")
    held.goes_on.set()
    assert activation.end().error is None
    assert removing.end().error is None
    assert (Account.select().count(), Application.select().count()) == (0, 0)


def test_an_application_that_begins_meanwhile_waits_and_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    by, of = staff(), Customer.get()
    end_all(site)
    held = Held(
        monkeypatch, "workflows.business.shared.staff_acts", "required"
    )  # the removal has written all but its act
    removing = Aside(site, lambda: remove(site, by))
    assert held.reached.wait(PATIENCE)
    about = f"customer:{of.id}"
    applying = Aside(site, lambda: site.engine.start("account_creation", about, Actor("visitor"), application(of)))
    until(lambda: waits_for_a_lock(site), "the lock")
    held.goes_on.set()
    removing.end()
    applying.end()
    assert removing.error is None
    assert applying.error is not None
    assert Application.select().count() == 0


def test_an_invitation_that_begins_meanwhile_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    by, of, admin = staff(), Customer.get(), Actor("account", str(Account.get().id))
    end_all(site)
    held = Held(monkeypatch, "workflows.account_invitation.rules", "locked_customer")
    data = InvitationInput("見本 四郎", "shiro@customer.example", "editor")
    inviting = Aside(site, lambda: site.engine.start("account_invitation", f"customer:{of.id}", admin, data))
    assert held.reached.wait(PATIENCE)
    remove(site, by)
    held.goes_on.set()
    assert inviting.end().error is not None
    assert Invitation.select().count() == 0


def test_an_order_that_has_read_is_refused_after_the_removal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    by, hanako = staff(), Account.get()
    Contract.delete().where(Contract.product == "chatluck").execute()
    held = Held(monkeypatch, "workflows.contract_change.rules", "keep_request")
    wanted = ordered("chatluck", "atarashii")
    asking = Aside(site, lambda: request(site, hanako.customer, None, hanako, wanted))
    assert held.reached.wait(PATIENCE)
    end_all(site)
    remove(site, by)
    held.goes_on.set()
    assert asking.end().error is not None
    assert ChangeRequest.select().count() == 0


def test_an_order_that_was_first_is_withdrawn(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    by, hanako = staff(), Account.get()
    Contract.delete().where(Contract.product == "chatluck").execute()
    held = Held(monkeypatch, "workflows.contract_change.rules", "keep_request", after=True)
    wanted = ordered("chatluck", "atarashii")
    asking = Aside(site, lambda: request(site, hanako.customer, None, hanako, wanted))
    assert held.reached.wait(PATIENCE)
    end_all(site)
    removing = Aside(site, lambda: remove(site, by))
    until(lambda: waits_for_a_lock(site), "the lock")
    held.goes_on.set()
    assert (asking.end().error, removing.end().error) == (None, None)
    do_all_due(site)
    assert [one.slot for one in ChangeRequest.select()] == [None]
    assert site.engine.look(ChangeRequest.get().instance).state.name == "withdrawn"


def test_a_log_in_that_has_verified_opens_no_session_after_the_removal(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = staff()
    held = Held(monkeypatch, "workflows.business.access.sessions", "new_token")

    def log_in() -> Any:
        return site.access.log_ins.log_in(SUBDOMAIN, EMAIL, PASSWORD, "192.0.2.1")

    logging_in = Aside(site, log_in)
    assert held.reached.wait(PATIENCE)
    end_all(site)
    remove(site, by)
    held.goes_on.set()
    assert isinstance(logging_in.end().result, tuple)
    assert Session.select().count() == 0


def test_an_import_that_began_first_keeps_the_customer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file says that a contract goes on, and its rows are locked."""
    by = staff()
    import_customers(io.BytesIO(sheet(FULL)))
    of = Customer.get(Customer.number == FULL["customer_number"])
    Contract.update(ended_on=site.services.calendar.today(site.clock()) - timedelta(days=1)).where(
        Contract.customer == of.id
    ).execute()
    held = Held(monkeypatch, "workflows.business.customer_file.importing", "_write")
    bringing = Aside(site, lambda: import_customers(io.BytesIO(sheet({**FULL, "ended_on": ""})), overwrite=True))
    assert held.reached.wait(PATIENCE)
    about, data = f"customer:{of.id}", StaffActInput("ご解約のため")
    removing = Aside(site, lambda: site.engine.start("customer_removal", about, by, data))
    until(lambda: waits_for_a_lock(site), "the lock")
    held.goes_on.set()
    assert bringing.end().error is None
    assert removing.end().error is not None
    assert Customer.get_by_id(of.id).removed_on is None


def test_of_two_removals_at_once_one_is_done(site: Site) -> None:
    by, another = staff(), staff("担当 二郎")
    end_all(site)
    both = [Aside(site, partial(remove, site, who)) for who in (by, another)]
    errors = [one.end().error for one in both]
    assert errors.count(None) == 1
    assert StaffAct.select().count() == 1

"""The border to plugins: what a registered object may do wrong (raise, hang, answer nonsense, be nonsense), and that it
costs what docs/plugins says and no more. Its hooks are register_mailers, register_effect_handlers and the others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest

from engine.attempt import Actor, Secret
from engine.definition import Effect, Start
from engine.delivery import Accepted, Deferred, Failed, outcome_of
from engine.hookspecs import hookimpl
from engine.operations.incidents import incidents
from engine.plugins.breakers import FAILURES, MOST_CALLS, Breaker, TooSlow
from engine.plugins.loaded import Plugins
from engine.plugins.loading import load
from engine.plugins.site_facts import SiteFacts
from engine.store.opening import open_database
from engine.testing import Clock
from engine.workers.one_machine import Heartbeat
from tests.kit.browser import PASSWORD, USER_NAME, Browser, add_customer
from tests.kit.handlers import VISITOR, Ear, Handler, dispatcher_of, told
from tests.kit.hanging import HANGS
from tests.kit.heartbeats import without_sweep
from tests.kit.notices import NEO, StatusPage, customer, deliver_everything, draft
from tests.kit.payments import bank_transfer
from tests.kit.sites import CHEAP, SECRET
from tests.kit.waiting import PATIENCE, until
from web.app import create_app
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from workflows.business.records import Account, Contract, Mandate, PaymentReport, StaffMember
from workflows.notice.inputs import PublishInput
from workflows.notice.records import NoticeDelivery
from workflows.payment_method_change.inputs import PaymentMethodInput
from workflows.ports import hookspecs, payment_calls, quotes
from workflows.ports.billing import (
    Bill,
    BilledContract,
    Change,
    ContractTerms,
    Quote,
    UnusableBills,
    wrong_backend,
)
from workflows.ports.disk_usage import (
    NO_ANSWER,
    NOT_NOW,
    UNREADABLE,
    Environment,
    GuardedUsage,
    Usage,
    UsageUnavailable,
    measured,
)
from workflows.ports.guarded import GuardedBilling, Times
from workflows.ports.payments import Details, NotAvailable, Redirect, Report

pytestmark = pytest.mark.usefixtures("let_go")
NEO_ENVIRONMENT = Environment("desknets-neo", "mihon", "https://mihon.dn-cloud.com/")


def raises(*_given: object) -> Any:
    raise ValueError("a plugin's own fault")


def leaves(*_given: object) -> Any:
    sys.exit("a plugin would end the process")


def hangs(*_given: object) -> Any:
    HANGS.wait(PATIENCE)


_SHORT = timedelta(milliseconds=300)
SHORT = Times(_SHORT, _SHORT, _SHORT, delivery=_SHORT)


# -- what is registered ------------------------------------------------------------------------------------------------


def loaded(tmp_path: Path, hook: str, answer: Callable[[], Any]) -> Plugins:
    """The plugins of a site, one of which answers `hook` like this."""

    def register(self: object) -> Any:
        return answer()

    register.__name__ = hook
    config: type[Any] = dataclass(frozen=True)(type("Config", (), {}))
    plugin = type("Odd", (), {"Config": config, "__init__": lambda *_: None, hook: hookimpl(register)})
    facts = SiteFacts(tmp_path, "http://localhost", "a@b.example", False, "Asia/Tokyo")
    return load({}, facts, extra=[("odd", plugin)], specs=[hookspecs])


class Slow:
    longest = "very"

    def send(self, message: object, key: str) -> Accepted:
        return Accepted()


def method(**changes: Any) -> Any:
    made = bank_transfer()
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def channel(**changes: Any) -> Any:
    made = StatusPage(StatusPage.Config(), SiteFacts(Path("var"), "", "", False, "Asia/Tokyo"))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("hook", "answer", "says"),
    [
        ("register_mailers", lambda: {"odd": Slow()}, "longest must be a timedelta of at most a day, not 'very'"),
        ("register_mailers", leaves, "register_mailers raised SystemExit"),
        ("register_effect_handlers", lambda: ["odd"], "must return a mapping by name, not list"),
        ("register_listeners", lambda: {"odd": Slow()}, "it takes an object with hear()"),
        ("register_listeners", lambda: {"odd": Ear("walk")}, "workflows must be a sequence of names, not 'walk'"),
        (
            "register_listeners",
            lambda: {"odd": Ear(events=cast(Any, (3,)))},
            "events must be a sequence of names, not (3,)",
        ),
        ("register_listeners", lambda: {"Odd": Ear()}, "its name must be lower-case letters"),
        ("register_migrations", lambda: {"odd": Path("no_such_folder")}, "no_such_folder is no folder"),
        ("register_migrations", lambda: {"odd": Path(__file__).parent}, "is not called migrations"),
        ("register_billing_backends", lambda: {"odd": Slow()}, "it takes an object with quote() and apply()"),
        ("register_disk_usage", lambda: {"odd": 3}, "returned int for 'odd'; it takes an object with usage()"),
        ("register_disk_usage", raises, "register_disk_usage raised ValueError: a plugin's own fault"),
        ("register_notice_channels", lambda: {"odd": channel(audience="all")}, "audience must be one of visitors"),
        ("register_notice_channels", lambda: {"odd": channel(title=None)}, "title must be a text, not None"),
        ("register_payment_methods", lambda: {"Odd!": method()}, "its name must be lower-case letters"),
        ("register_payment_methods", lambda: {"odd": method(title="")}, "title must be a text, not ''"),
        (
            "register_payment_methods",
            lambda: {"odd": method(way="fax")},
            "way must be one of at_once, page, paper, later",
        ),
        ("register_payment_methods", lambda: {"odd": method(origins="https://a.example")}, "origins must be a list"),
        ("register_payment_methods", lambda: {"odd": method(origins=("; script-src *",))}, "origins must be a list"),
    ],
)
def test_what_is_no_object_of_its_shape_is_left_out_with_the_reason(
    hook: str, answer: Callable[[], Any], says: str, tmp_path: Path
) -> None:
    plugins = loaded(tmp_path, hook, answer)
    (failure,) = plugins.failures
    assert failure.plugin == "odd"
    assert says in failure.reason
    assert "odd" not in plugins.registered(hook)
    (odd,) = [one for one in plugins.listed if one.name == "odd"]
    assert (odd.state, odd.adds) == ("failed", {})


def test_what_a_plugin_adds_is_listed_by_hook(tmp_path: Path) -> None:
    plugins = loaded(tmp_path, "register_payment_methods", lambda: {"odd": method(), "even": method()})
    assert plugins.failures == ()
    (odd,) = [one for one in plugins.listed if one.name == "odd"]
    assert odd.adds == {"register_payment_methods": ("odd", "even")}


def test_a_name_that_two_plugins_claim_is_told_by_all_that_check(tmp_path: Path) -> None:
    plugins = loaded(tmp_path, "register_payment_methods", lambda: {"credit_card": method()})
    (clash,) = plugins.register_all()
    assert clash.startswith("register_payment_methods: 'credit_card' is claimed by ")
    assert "card_stripe" in clash
    assert "odd" in clash


# -- mailers and effect handlers ---------------------------------------------------------------------------------------

NO_OUTCOMES = (
    None,
    True,
    "accepted",
    Accepted,
    Accepted(3),  # type: ignore[arg-type]
    Failed(None),  # type: ignore[arg-type]
    Deferred(ValueError()),  # type: ignore[arg-type]
    Deferred("later", 60),  # type: ignore[arg-type]
)


@pytest.mark.parametrize("answer", NO_OUTCOMES, ids=repr)
def test_what_is_no_outcome_is_not_done_and_tried_again(answer: Any, sqlite_url: str, clock: Clock) -> None:
    handler = Handler(lambda delivery: answer)
    db = open_database(sqlite_url)
    dispatcher = dispatcher_of(db, clock, handler, told())
    number = dispatcher.engine.start("told", "x:1", VISITOR).instance_id
    dispatcher.drain()
    assert dispatcher.engine.look(number).state.name == "open"
    handler.answer = lambda delivery: Accepted()
    clock.forward(hours=1)
    dispatcher.drain()
    assert dispatcher.engine.look(number).state.name == "told"
    assert len(set(handler.keys)) == 1
    db.close()


@pytest.mark.parametrize("trouble", [raises, leaves])
def test_an_effect_whose_plugin_raises_becomes_an_incident_in_the_end(
    trouble: Callable[..., Any], sqlite_url: str, clock: Clock
) -> None:
    db = open_database(sqlite_url)
    dispatcher = dispatcher_of(db, clock, Handler(trouble), told())
    dispatcher.engine.start("told", "x:1", VISITOR)
    for _turn in range(80):
        dispatcher.drain()
        clock.forward(hours=1)
    (incident,) = incidents(dispatcher.engine)
    assert incident.error.startswith("deadline: ")
    assert "fault" not in incident.error  # an exception may quote a secret
    db.close()


def test_a_wait_that_no_date_can_hold_becomes_an_incident(sqlite_url: str, clock: Clock) -> None:
    db = open_database(sqlite_url)
    dispatcher = dispatcher_of(db, clock, Handler(lambda delivery: Deferred("busy", timedelta.max)), told())
    dispatcher.engine.start("told", "x:1", VISITOR)
    dispatcher.drain()
    assert len(incidents(dispatcher.engine)) == 1
    db.close()


def test_a_handler_that_hangs_holds_one_thread_and_no_other_effect(sqlite_url: str) -> None:
    delivered = Event()

    def answer(delivery: Any) -> Any:
        if delivery.about == "slow:1":
            return hangs()
        delivered.set()
        return Accepted()

    db = open_database(sqlite_url)
    dispatcher = dispatcher_of(db, None, Handler(answer), told())
    heartbeat = Heartbeat(dispatcher.engine, dispatcher, threads=2)
    heartbeat.start()
    try:
        dispatcher.engine.start("told", "slow:1", VISITOR)
        dispatcher.engine.start("told", "quick:1", VISITOR)
        until(delivered.is_set, "the other effect")
    finally:
        HANGS.set()
        heartbeat.stop()
        db.close()


def test_who_takes_an_effect_that_hangs_has_told_the_others_of_the_rest(sqlite_url: str) -> None:
    """Two effects of one commit wake the threads once. One thread was not asleep yet and misses it; the other one takes
    the first effect and hangs: the second must not wait for the sweep."""
    looked, look_on, hanging, delivered = Event(), Event(), Event(), Event()

    def answer(delivery: Any) -> Any:
        if delivery.name == "hang":
            hanging.set()
            return hangs()
        delivered.set()
        return Accepted()

    db = open_database(sqlite_url)
    handler = Handler(answer)
    both = (Effect("ping", "hang", to="a"), Effect("ping", "quick", to="b"))
    dispatcher = dispatcher_of(db, None, handler, replace(told(), start=Start("open", effects=both)))
    look = dispatcher.next_due

    def look_slowly() -> Any:
        if not looked.is_set():
            looked.set()
            look_on.wait(PATIENCE)
        return look()

    dispatcher.next_due = look_slowly  # type: ignore[method-assign]
    heartbeat = Heartbeat(dispatcher.engine, dispatcher, threads=2)
    heartbeat.start()
    without_sweep(heartbeat)
    try:
        until(looked.is_set, "a thread that has found nothing")
        dispatcher.engine.start("told", "x:1", VISITOR)
        until(hanging.is_set, "the effect that hangs")
        look_on.set()
        until(delivered.is_set, "the other effect")
    finally:
        look_on.set()
        HANGS.set()
        heartbeat.stop()
        db.close()


def test_an_outcome_stays_what_it_is() -> None:
    for outcome in (Accepted("x"), Failed("550", "y"), Deferred("z"), Deferred("z", timedelta(hours=1))):
        assert outcome_of(outcome) == outcome


# -- disk usage --------------------------------------------------------------------------------------------------------


class Source:
    def __init__(self, answer: Callable[..., Any]) -> None:
        self.usage = answer


def guarded(source: Any) -> GuardedUsage:
    return GuardedUsage(source, Breaker("disk_usage", "odd"))


AWARE = datetime.now().astimezone()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (raises, NO_ANSWER),
        (leaves, NO_ANSWER),
        (lambda *_: None, UNREADABLE),
        (lambda *_: Usage("3 GB", None, AWARE), UNREADABLE),  # type: ignore[arg-type]
        (lambda *_: Usage(-1, None, AWARE), UNREADABLE),
        (lambda *_: Usage(1, 2, datetime(2026, 4, 1)), UNREADABLE),
        (lambda *_: UsageUnavailable("no text"), UNREADABLE),  # type: ignore[arg-type]
        (lambda *_: UsageUnavailable(NO_ANSWER, last="3 GB"), UNREADABLE),  # type: ignore[arg-type]
    ],
)
def test_a_source_that_cannot_measure_leaves_the_page_without_a_figure(answer: Any, reason: Any) -> None:
    assert measured(guarded(Source(answer)), [NEO_ENVIRONMENT] * 3) == [UsageUnavailable(reason)] * 3


def test_a_source_that_hangs_costs_some_pages_their_time_and_the_next_ones_nothing() -> None:
    source = Source(hangs)
    asked: list[Environment] = []

    def usage(environment: Environment, *_more: object) -> Any:
        asked.append(environment)
        return hangs()

    source.usage = usage
    held = guarded(source)
    for _page in range(FAILURES):
        found = measured(held, [NEO_ENVIRONMENT] * 20, timedelta(milliseconds=50))
        assert set(found) <= {UsageUnavailable(NO_ANSWER), UsageUnavailable(NOT_NOW)}
    before = len(asked)
    assert before <= MOST_CALLS
    assert measured(held, [NEO_ENVIRONMENT] * 20, timedelta(seconds=60)) == [UsageUnavailable(NOT_NOW)] * 20
    assert len(asked) == before
    hanging = [thread for thread in _threads() if thread.name == "plugin"]
    assert all(thread.daemon for thread in hanging)  # none of them holds up the end of the process
    HANGS.set()
    until(lambda: held.breaker.standing.under_way == 0, "the threads that were left")


def test_a_source_that_gives_up_when_its_time_is_over_has_hung() -> None:
    """As `http_usage` does when whom it asks does not answer."""
    source = Source(lambda _environment, timeout: HANGS.wait(timeout.total_seconds()) or UsageUnavailable(UNREADABLE))
    held = guarded(source)
    for _page in range(FAILURES):
        assert measured(held, [NEO_ENVIRONMENT], timedelta(milliseconds=40)) != [UsageUnavailable(NOT_NOW)]
    assert measured(held, [NEO_ENVIRONMENT], timedelta(milliseconds=40)) == [UsageUnavailable(NOT_NOW)]


def test_a_source_that_says_at_once_that_it_has_no_figure_is_asked_again() -> None:
    held = guarded(Source(lambda *_: UsageUnavailable(UNREADABLE)))
    for _page in range(2 * FAILURES):
        assert measured(held, [NEO_ENVIRONMENT]) == [UsageUnavailable(UNREADABLE)]


@pytest.mark.parametrize("known", [raises, leaves, lambda *_: "3 GB", lambda *_: Usage(-1, None, AWARE)])
def test_a_source_that_knows_nonsense_is_asked(known: Any) -> None:
    right = Usage(1, 2, AWARE)
    source = Source(lambda *_: right)
    source.known = known  # type: ignore[attr-defined]
    assert measured(guarded(source), [NEO_ENVIRONMENT] * 3) == [right] * 3


def test_what_a_source_knows_is_not_asked_for() -> None:
    other = Environment("chatluck", "mihon", "")
    known, asked = Usage(1, 2, AWARE), Usage(3, None, AWARE)
    questions: list[Environment] = []

    def usage(environment: Environment, *_more: object) -> Usage:
        questions.append(environment)
        return asked

    source = Source(usage)
    source.known = lambda environment: known if environment == NEO_ENVIRONMENT else None  # type: ignore[attr-defined]
    assert measured(guarded(source), [NEO_ENVIRONMENT, other, NEO_ENVIRONMENT]) == [known, asked, known]
    assert questions == [other]


def _threads() -> list[Any]:
    import threading

    return threading.enumerate()


# -- billing -----------------------------------------------------------------------------------------------------------


DAY = date(2026, 4, 1)
TERMS = ContractTerms("desknets-neo", "mihon", 10, (), "monthly", "bank_transfer", DAY)
CHANGE = Change("users", "A00000001", 1, TERMS, TERMS, DAY, DAY)


@pytest.mark.parametrize("answer", [raises, leaves, hangs, lambda *_: None, lambda *_: Quote(1, 2, 3)])  # type: ignore[arg-type]
def test_a_backend_that_cannot_quote_shows_no_price(answer: Any) -> None:
    backend: Any = type("Odd", (), {"quote": answer})()
    billing = GuardedBilling(backend, Breaker("billing", "odd"), SHORT)
    assert quotes.ask(billing, CHANGE) == quotes.NO_ANSWER


ASKED = (BilledContract(7, "A00000001", TERMS, DAY),)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "due_bills: expected bills, got NoneType"),
        ("B-1", "due_bills: expected bills, got str"),
        (["B-1"], "due_bills: expected a Bill, got str"),
        ([Bill("", 7, 1, DAY)], "bill '': expected a number of 64 printable characters at most"),
        ([Bill("x" * 65, 7, 1, DAY)], f"bill '{'x' * 64}': expected a number of 64 printable characters at most"),
        ([Bill(1, 7, 1, DAY)], "bill '1': expected a number of 64 printable characters at most"),  # type: ignore[arg-type]
        ([Bill("B-1\n", 7, 1, DAY)], "bill 'B-1\\n': expected a number of 64 printable characters at most"),
        ([Bill("B-1", 8, 1, DAY)], "bill 'B-1': expected one of the contracts that were asked for, got 8"),
        ([Bill("B-1", 7, 0, DAY)], "bill 'B-1': expected a total of 1 yen at least, got 0"),
        ([Bill("B-1", 7, 1.5, DAY)], "bill 'B-1': expected a total of 1 yen at least, got 1.5"),  # type: ignore[arg-type]
        ([Bill("B-1", 7, True, DAY)], "bill 'B-1': expected a total of 1 yen at least, got True"),
        ([Bill("B-1", 7, 1, date(2026, 4, 28))], "bill 'B-1': expected a day from 2026-04-01 to 2026-04-27, got"),
        ([Bill("B-1", 7, 1, date(2026, 3, 31))], "bill 'B-1': expected a day from 2026-04-01 to 2026-04-27, got"),
    ],
)
def test_what_is_no_bill_is_collected_from_nobody(answer: Any, message: str) -> None:
    backend: Any = type("Odd", (), {"billing_version": 2, "due_bills": lambda *_given: answer})()
    billing = GuardedBilling(backend, Breaker("billing", "odd"), SHORT)
    with pytest.raises(UnusableBills) as refused:
        billing.due_bills(date(2026, 4, 27), ASKED)
    assert str(refused.value).startswith(message)


def test_a_backend_that_hangs_over_its_bills_is_left_there() -> None:
    backend: Any = type("Odd", (), {"billing_version": 2, "due_bills": hangs})()
    with pytest.raises(TooSlow):
        GuardedBilling(backend, Breaker("billing", "odd"), SHORT).due_bills(DAY, ASKED)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({}, ""),
        ({"billing_version": 1}, ""),
        ({"billing_version": 2, "due_bills": hangs}, ""),
        ({"billing_version": 2}, "it lacks due_bills, which a billing backend of version 2 has"),
        ({"billing_version": 3}, "billing_version must be 1 or 2, not 3; this site is too old for a later one"),
        ({"billing_version": True}, "billing_version must be 1 or 2, not True; this site is too old for a later one"),
    ],
)
def test_a_backend_says_for_which_version_it_is_written(attributes: dict[str, Any], reason: str) -> None:
    backend: Any = type("Odd", (), attributes)()
    assert wrong_backend("odd", backend) == reason
    guarded = GuardedBilling(backend, Breaker("billing", "odd"), SHORT)
    assert guarded.knows_bills == (attributes.get("billing_version") == 2)
    if not guarded.knows_bills:
        with pytest.raises(UnusableBills, match="expected one of version 2"):
            guarded.due_bills(DAY, ASKED)


# -- notice channels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [raises, leaves, lambda *_: None, lambda *_: "sent"])
def test_a_channel_that_breaks_is_tried_again_and_holds_up_no_other(
    answer: Any, sqlite_url: str, clock: Clock, tmp_path: Path
) -> None:
    class Broken(StatusPage):
        @hookimpl
        def register_notice_channels(self) -> dict[str, Any]:
            return {"broken": self}

        def deliver(self, *given: Any) -> Any:
            return answer()

        preview = deliver

    site = built(sqlite_url, clock, tmp_path, ("status_page", StatusPage), ("broken", Broken))
    customer(1, NEO)
    member = StaffMember.create(email="tanto@company.example", name="担当", created_at=clock())
    staff = Actor("staff", str(member.id))
    number = site.engine.start("notice", "notice:0123456789ab", staff, draft()).instance_id
    site.engine.fire(number, "publish", staff, PublishInput(notify=True))
    deliver_everything(site, clock)
    states = {row.channel: (row.state, row.attempts > 0) for row in NoticeDelivery.select()}
    assert states["broken"] == ("waiting", True)
    assert states["status_page"] == ("sent", True)
    site.close()


# -- payment methods ---------------------------------------------------------------------------------------------------


class Odd:
    """A payment method that does what a test says, and otherwise what a bank transfer does."""

    behaviour: dict[str, Callable[..., Any]]

    @dataclass(frozen=True)
    class Config:
        pass

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        type(self).behaviour = {}
        type(self).way = "none"

    title = "へんな払い"
    way = "none"
    origins = ()

    @hookimpl
    def register_payment_methods(self) -> dict[str, Any]:
        return {"odd": self}


def _delegate(name: str) -> Callable[..., Any]:
    def call(self: Odd, *given: Any) -> Any:
        return self.behaviour.get(name, getattr(bank_transfer(demo=True), name))(*given)

    return call


QUESTIONS = "is_available form validate begin handle_return verify_event handle_event query revoke".split()  # noqa: SIM905
for _question in QUESTIONS:
    setattr(Odd, _question, _delegate(_question))


def built(url: str, clock: Clock, folder: Path, *extra: tuple[str, type[Any]]) -> Site:
    settings = Settings(
        secret_key=SECRET, database_url=url, base_url="http://localhost", var=folder, password_cost=CHEAP
    )
    return build(settings, clock=clock, plugins=plugins_of(settings, extra=extra), times=SHORT)


@pytest.fixture
def site(sqlite_url: str, clock: Clock, tmp_path: Path) -> Iterator[Site]:
    made = built(sqlite_url, clock, tmp_path, ("odd", Odd))
    yield made
    made.close()


@pytest.fixture
def hanako(site: Site, clock: Clock) -> Browser:
    of = add_customer()
    Account.create(
        customer=of,
        email="hanako@customer.example",
        user_name=USER_NAME,
        password_hash=site.hasher.hash(PASSWORD),
        role="editor",
        created_at=clock(),
    )
    browser = Browser(create_app(site))
    browser.log_in()
    return browser


TROUBLES = [raises, leaves, hangs, lambda *_: 3]


def request_of_odd(site: Site, way: str = "none") -> int:
    """A request for the odd method, begun before anything is wrong with it."""
    site.services.payment_methods["odd"].way = way  # type: ignore[assignment]
    account, contract = Account.get(), Contract.select().order_by(Contract.id).get()
    day = payment_effective(site)
    given = PaymentMethodInput(method="odd", way=way, label="x", sealed=Secret(""), effective_on=day)
    started = site.engine.start(
        "payment_method_change", f"contract:{contract.id}", Actor("account", str(account.id)), given
    )
    return started.instance_id


def payment_effective(site: Site) -> date:
    from workflows.payment_method_change import effective_date

    return effective_date(site.services.calendar.today(site.clock()))


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_method_that_cannot_say_whether_it_is_available_is_shown_without_a_button(
    trouble: Any, hanako: Browser
) -> None:
    Odd.behaviour = {"is_available": trouble}
    hanako.open("/registration/payment")
    assert hanako.response.status_code == 200
    assert str(payment_calls.BROKEN) in hanako.text
    assert "へんな払いに変更する" not in hanako.text
    assert "へんな払い" in hanako.text


@pytest.mark.parametrize("trouble", [*TROUBLES, lambda *_: NotAvailable("no text")])  # type: ignore[arg-type]
def test_each_question_that_goes_wrong_is_answered_with_a_page(trouble: Any, hanako: Browser) -> None:
    contract = Contract.select().order_by(Contract.id).get().id
    hanako.open(f"/registration/payment/{contract}/odd")
    Odd.behaviour = {"validate": trouble}
    hanako.press("確認へ進む")
    assert (hanako.response.status_code, str(payment_calls.BROKEN) in hanako.text) == (422, True)
    Odd.behaviour = {"form": trouble}
    assert hanako.open(f"/registration/payment/{contract}/odd").status_code == 503
    assert str(payment_calls.BROKEN) in hanako.text


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_return_that_goes_wrong_shows_the_request(trouble: Any, site: Site, hanako: Browser) -> None:
    number = request_of_odd(site)
    Odd.behaviour = {"handle_return": trouble}
    assert hanako.open(f"/registration/payment/requests/{number}/return").status_code == 200


@pytest.mark.parametrize("trouble", [*TROUBLES, lambda *_: Redirect("", ""), lambda *_: Redirect(3, "x")])  # type: ignore[arg-type]
def test_a_page_of_a_provider_that_cannot_be_made_is_told_and_may_be_tried_again(
    trouble: Any, site: Site, hanako: Browser
) -> None:
    number = request_of_odd(site, "page")
    site.engine.run_due()
    Odd.behaviour = {"begin": trouble}
    hanako.open(f"/registration/payment/requests/{number}")
    hanako.press("お手続きの画面へ進む")
    assert hanako.response.status_code == 200
    assert "画面を開けませんでした" in hanako.text
    assert Mandate.get(Mandate.instance == number).reference == ""


@pytest.mark.parametrize(("question", "status"), [("verify_event", 503), ("handle_event", 200)])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_event_that_cannot_be_read_is_sent_again_or_stored(
    question: str, status: int, trouble: Any, site: Site, hanako: Browser
) -> None:
    from workflows.ports.payments import Event as ProviderEvent

    Odd.behaviour = {"verify_event": lambda *_: ProviderEvent("1", "x", {})} | {question: trouble}
    assert hanako.client.post("/webhooks/odd", data=b"{}").status_code == status
    stored = [(one.state, one.reason) for one in PaymentReport.select()]
    assert stored == ([("received", "no_answer")] if status == 200 else [])
    Odd.behaviour = {}
    assert hanako.client.post("/webhooks/odd", data=b"{}").status_code == 400


@pytest.mark.parametrize("trouble", [raises, leaves, lambda *_: None, lambda *_: "active"])
def test_a_method_that_cannot_begin_is_asked_again_with_the_same_key(
    trouble: Any, site: Site, hanako: Browser, clock: Clock
) -> None:
    number, keys = request_of_odd(site), []

    def begin(context: Any, mandate: Any, data: Any, key: str) -> Any:
        keys.append(key)
        if len(keys) == 1:
            return trouble()
        return bank_transfer().begin(context, mandate, data, key)

    Odd.behaviour = {"begin": begin}
    for _turn in range(4):
        site.engine.run_due()
        site.dispatcher.drain()
        clock.forward(minutes=30)
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert Mandate.get(Mandate.instance == number).ended_on is None


def test_details_and_reports_of_wrong_types_are_named() -> None:
    for answer in (None, 3, Report("settled"), Report("processed", "12"), Details()):  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="reported"):
            payment_calls.report_of(answer)


def test_a_method_joins_the_catalogue_behind_those_that_it_has_under_its_own_title(site: Site) -> None:
    offered = {name: str(title) for name, title in site.catalogue.payment_methods.items()}
    assert list(offered) == ["bank_transfer", "direct_debit", "credit_card", "odd"]
    assert offered["odd"] == "へんな払い"
    taken = site.catalogue.with_methods({"bank_transfer": site.catalogue.payment_methods["odd"]})
    assert taken.payment_methods == site.catalogue.payment_methods

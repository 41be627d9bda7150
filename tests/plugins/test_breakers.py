"""A plugin that hangs: how many wait for it, when nobody is asked any more, and who is told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from inspect import signature
from threading import Event, stack_size
from threading import enumerate as enumerate_threads
from typing import Any

import pytest

from engine.definition import Secret
from engine.delivery import Accepted, Deferred, Delivery
from engine.hookspecs import hookimpl
from engine.plugins.breakers import FAILURES, REST, SLOW, Breaker, Breakers, NotNow, Standing, TooSlow
from engine.plugins.site_facts import SiteFacts
from engine.testing import Clock
from engine.text import Text
from tests.kit.browser import add_customer
from tests.kit.members import Member, add_account, member
from tests.kit.sites import CHEAP, SECRET
from tests.kit.waiting import PATIENCE, until
from web.app import create_app
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from web.cli.doctor import silent_plugins
from workflows.business.records import Contract
from workflows.ports.billing import Applied, BillingBackend, Unavailable
from workflows.ports.guarded import GuardedBilling, GuardedChannel, GuardedMethod, Patient, Times
from workflows.ports.notice_channels import NoticeChannel
from workflows.ports.payments import PaymentMethod
from workflows.ports.troubles import TOLD_LATELY, Teller, forget_troubles, troubles

SOON = timedelta(milliseconds=30)
LONG = timedelta(seconds=60)
TOKEN = "a-token-that-only-prometheus-has"


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def rest(self) -> None:
        self.now += REST.total_seconds()


class Plugin:
    """Answers at once, or hangs: as long as a test runs, and a minute where it forgets to let go."""

    def __init__(self) -> None:
        self.hanging = True
        self.asked = 0
        self._let_go = Event()

    def __call__(self) -> str:
        self.asked += 1
        if self.hanging:
            self._let_go.wait(PATIENCE)
        return "answer"

    def recover(self) -> None:
        """Answer again, those too who wait."""
        self.hanging = False
        self._let_go.set()


@pytest.fixture
def plugin() -> Iterator[Plugin]:
    made = Plugin()
    yield made
    made.recover()


@pytest.fixture
def time() -> Time:
    return Time()


def opened(breaker: Breaker, plugin: Plugin) -> None:
    """Ask until nobody is asked any more."""
    for _time in range(FAILURES):
        with pytest.raises(TooSlow, match=r"no answer in 0\.03 s"):
            breaker.within(SOON, plugin)


# -- the breaker -------------------------------------------------------------------------------------------------------


def test_after_some_failures_in_a_row_nobody_is_asked_for_a_while(plugin: Plugin, time: Time) -> None:
    breaker = Breaker("billing", "odd", clock=time)
    opened(breaker, plugin)
    assert breaker.standing == Standing("billing", "odd", True, "no answer in 0.03 s", FAILURES)
    time.now += REST.total_seconds() - 0.1
    with pytest.raises(NotNow, match=r"billing odd is not asked for a while: no answer in 0\.03 s"):
        breaker.within(LONG, plugin)
    assert plugin.asked == FAILURES


def test_one_answer_in_between_keeps_it_closed(plugin: Plugin) -> None:
    breaker = Breaker("billing", "odd")
    for _turn in range(2):
        for _time in range(FAILURES - 1):
            breaker.failed("no answer")
        assert breaker.within(LONG, lambda: 7) == 7
    assert not breaker.standing.is_open


def test_then_one_call_is_made_and_its_answer_closes_it(plugin: Plugin, time: Time) -> None:
    breaker = Breaker("billing", "odd", clock=time)
    opened(breaker, plugin)
    plugin.recover()
    time.rest()
    assert breaker.within(LONG, plugin) == "answer"
    assert breaker.within(LONG, plugin) == "answer"
    until(lambda: breaker.standing == Standing("billing", "odd"), "the calls that were left behind")


def test_a_call_that_hangs_again_opens_it_again(plugin: Plugin, time: Time) -> None:
    breaker = Breaker("billing", "odd", clock=time)
    opened(breaker, plugin)
    time.rest()
    with pytest.raises(TooSlow):
        breaker.within(SOON, plugin)
    with pytest.raises(NotNow):
        breaker.within(LONG, plugin)
    assert plugin.asked == FAILURES + 1


def test_one_at_a_time_tries_whether_it_answers_again(plugin: Plugin, time: Time) -> None:
    breaker = Breaker("billing", "odd", clock=time)
    opened(breaker, plugin)
    time.rest()
    breaker.begun(plugin)
    with pytest.raises(NotNow):
        breaker.begun(plugin)
    assert breaker.also_begun(plugin) is None
    breaker.failed("no answer")
    time.rest()
    breaker.begun(plugin)


def test_calls_that_hang_for_ever_hold_no_more_threads_than_there_are_places(plugin: Plugin, time: Time) -> None:
    breaker = Breaker("billing", "odd", clock=time, most_calls=7, patience=SOON)
    opened(breaker, plugin)
    for _try in range(20):
        time.rest()
        with pytest.raises((TooSlow, NotNow)):
            breaker.within(SOON, plugin)
    assert (plugin.asked, breaker.standing.under_way) == (7, 7)
    assert breaker.standing.reason == "7 calls have not ended"
    plugin.recover()
    until(lambda: breaker.standing.under_way == 0, "the calls that were left behind")
    time.rest()
    assert breaker.within(LONG, plugin) == "answer"


def test_who_finds_no_place_waits_for_one(plugin: Plugin) -> None:
    breaker = Breaker("billing", "odd", most_calls=1, patience=LONG)
    first = breaker.begun(plugin)
    second: list[str] = []
    asking = Breaker("test", "the one who waits").begun(lambda: second.append(breaker.within(LONG, plugin)))
    plugin.recover()
    asking.result(PATIENCE)
    assert (first.result(), second) == ("answer", ["answer"])


def test_a_try_for_which_the_machine_has_no_thread_is_not_the_last_one(plugin: Plugin, time: Time) -> None:
    breaker = Breaker("billing", "odd", clock=time)
    opened(breaker, plugin)  # no thread is free: they hang
    plugin.hanging = False
    time.rest()
    idle = [thread for thread in enumerate_threads() if thread.name == "plugin"]
    until(lambda: sum(thread.is_alive() for thread in idle) == FAILURES, "the end of threads of before")
    before = stack_size(1 << 46)  # more than there is
    try:
        with pytest.raises(NotNow, match="can't start new thread"):
            breaker.within(LONG, plugin)
    finally:
        stack_size(before)
    time.rest()
    assert breaker.within(LONG, plugin) == "answer"


def test_what_raises_at_once_costs_nobody_anything_and_opens_nothing() -> None:
    breaker = Breaker("billing", "odd")

    def raises() -> None:
        raise TimeoutError("of the plugin's own")

    for _time in range(3 * FAILURES):
        with pytest.raises(TimeoutError, match="of the plugin's own"):
            breaker.within(LONG, raises)
    assert not breaker.standing.is_open


def test_what_raises_when_its_time_is_over_has_hung(time: Time) -> None:
    breaker = Breaker("billing", "odd", clock=time)

    def gives_up() -> None:
        time.now += 9
        raise ConnectionError

    for _time in range(FAILURES):
        with pytest.raises(ConnectionError):
            breaker.within(timedelta(seconds=10), gives_up)
    assert breaker.standing.reason == "ConnectionError after 9.0 s"
    with pytest.raises(NotNow):
        breaker.within(LONG, gives_up)


def test_an_answer_that_there_is_none_counts_where_it_took_its_time(time: Time) -> None:
    """A plugin may have a timeout of its own, which ends before ours does."""
    breaker = Breaker("billing", "odd", clock=time)

    def answers(took: float) -> None:
        time.now += took

    def ask(took: float) -> None:
        breaker.within(timedelta(seconds=15), lambda: answers(took), (type(None),))

    for _time in range(3 * FAILURES):
        ask(1)
    assert not breaker.standing.is_open
    for _time in range(FAILURES):
        ask(SLOW.total_seconds() + 1)
    assert breaker.standing.reason == "NoneType after 4.0 s"
    with pytest.raises(NotNow):
        ask(0)


def test_it_tells_when_it_opens_at_each_try_and_when_it_closes(plugin: Plugin, time: Time) -> None:
    told: list[bool] = []
    breaker = Breaker("billing", "odd", clock=time, told=lambda standing: told.append(standing.is_open))
    opened(breaker, plugin)
    assert told == [True]
    time.rest()
    with pytest.raises(TooSlow):
        breaker.within(SOON, plugin)
    plugin.recover()
    time.rest()
    breaker.within(LONG, plugin)
    assert told == [True, True, False]


def test_an_effect_that_meets_it_is_tried_later(plugin: Plugin) -> None:
    breaker = Breaker("billing", "odd")

    class Handler:
        def deliver(self, delivery: Delivery, key: str) -> Any:
            return breaker.within(SOON, plugin)

    delivery = Delivery("billing", "book", "", "x:1", {}, "ja", 1)
    answers = [Patient(Handler()).deliver(delivery, "k") for _time in range(FAILURES + 1)]
    assert answers[0] == Deferred("billing odd: no answer in 0.03 s")
    assert answers[-1] == Deferred("billing odd is not asked for a while: no answer in 0.03 s")
    plugin.recover()
    assert Patient(type("Quick", (), {"deliver": lambda *_: Accepted()})()).deliver(delivery, "k") == Accepted()


def test_a_process_ends_although_a_call_hangs() -> None:
    hanging = (
        "from datetime import timedelta\n"
        "from threading import Event\n"
        "from engine.plugins.breakers import Breaker, TooSlow\n"
        "try:\n"
        "    Breaker('billing', 'odd').within(timedelta(milliseconds=10), Event().wait)\n"
        "except TooSlow:\n"
        "    print('left behind')\n"
    )
    done = subprocess.run([sys.executable, "-c", hanging], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "left behind\n", "")


# -- the site ----------------------------------------------------------------------------------------------------------


class Books:
    """A billing backend that hangs when a test says so."""

    plugin: Plugin

    @dataclass(frozen=True)
    class Config:
        pass

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        """Nothing to set up."""

    @hookimpl
    def register_billing_backends(self) -> dict[str, Any]:
        return {"books": self}

    def quote(self, change: object) -> Unavailable:
        self.plugin()
        return Unavailable(Text("本日は料金を計算しません。"))

    def apply(self, change: object, quote: object, key: str) -> Applied:
        return Applied("1")

    def status(self, reference: str) -> Applied:
        return Applied(reference)

    def history(self, contract: int, order: str = "") -> tuple[()]:
        return ()

    def invoices(self, contract: int) -> tuple[()]:
        return ()


@pytest.fixture
def opened_site(database_url: str, clock: Clock, tmp_path: Any, plugin: Plugin, time: Time) -> Iterator[Site]:
    Books.plugin = plugin
    settings = Settings(
        secret_key=SECRET,
        database_url=database_url,
        base_url="http://localhost",
        var=tmp_path,
        password_cost=CHEAP,
        billing="books",
        metrics_token=Secret(TOKEN),
    )
    made = build(
        settings,
        clock=clock,
        plugins=plugins_of(settings, extra=[("books", Books)]),
        times=Times(SOON, SOON, SOON, SOON),
        breakers=Breakers(clock=time),
    )
    yield made
    made.close()


def asks_a_price(browser: Member, contract: Contract) -> str:
    browser.open(f"/changes/contracts/{contract.id}/users")
    browser.press("確認画面へ進む", users="31")
    assert browser.response.status_code == 200, browser.text
    return str(browser.text)


def figures(site: Site) -> str:
    client = create_app(site).test_client()
    return client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text


def answering(site: Site) -> tuple[int, dict[str, str]]:
    answer = create_app(site).test_client().get("/readyz")
    return answer.status_code, json.loads(answer.text)["checks"]["answering"]


def test_a_billing_backend_that_hangs_is_told_everywhere_until_it_answers(
    opened_site: Site, clock: Clock, plugin: Plugin, time: Time
) -> None:
    site = opened_site
    customer = add_customer()
    add_account(site, customer)
    assert site.plugins.failures == ()
    hanako = member(create_app(site))
    contract = Contract.select().order_by(Contract.id).get()
    for _time in range(FAILURES + 1):
        assert "ただいま料金を計算できません" in asks_a_price(hanako, contract)
    assert plugin.asked == FAILURES
    assert 'tetsuzuki_plugin_breaker_open{kind="billing",plugin="books"} 1.0' in figures(site)
    assert f'tetsuzuki_plugin_calls_under_way{{kind="billing",plugin="books"}} {FAILURES}.0' in figures(site)
    assert answering(site)[1] == {"state": "warning", "detail": "not answering: billing books; see tetsuzuki doctor"}
    (line,) = map(str, silent_plugins(site))
    assert line.startswith("✗ billing books does not answer: no answer in 0.03 s (since 20")
    assert "; told by " in line
    clock.forward(minutes=2)
    time.rest()
    asks_a_price(hanako, contract)  # one more try, which hangs
    assert plugin.asked == FAILURES + 1
    (told,) = troubles(clock())
    assert told.told_at - told.since == timedelta(minutes=2)
    plugin.recover()
    time.rest()
    asks_a_price(hanako, contract)
    assert troubles(clock()) == ()
    assert 'tetsuzuki_plugin_breaker_open{kind="billing",plugin="books"} 0.0' in figures(site)
    assert answering(site)[1] == {"state": "ok"}


def test_what_several_processes_tell_is_one_line_and_old_news_are_none(database_url: str, clock: Clock) -> None:
    from engine.store.opening import open_database

    db = open_database(database_url)
    one, two = Teller("host-a:1", clock), Teller("host-b:2", clock)
    silent = Standing("payment_method", "odd", True, "no answer in 5 s", 3)
    one(silent)
    clock.forward(minutes=1)
    two(Standing("payment_method", "odd", True, "8 calls have not ended", 8))
    (told,) = troubles(clock())
    assert (told.workers, told.reason) == (("host-a:1", "host-b:2"), "8 calls have not ended")
    assert str(told.title) == "お支払い方法"
    one(Standing("payment_method", "odd"))
    assert troubles(clock())[0].workers == ("host-b:2",)
    clock.forward(seconds=TOLD_LATELY.total_seconds())
    assert troubles(clock()) == ()
    assert forget_troubles(clock()) == 1
    db.close()


def test_news_that_cannot_be_kept_cost_nobody_the_answer(sqlite_url: str, clock: Clock, caplog: Any) -> None:
    from engine.store.opening import open_database

    db = open_database(sqlite_url)
    db.execute_sql("DROP TABLE plugin_trouble")
    Teller("host-a:1", clock)(Standing("billing", "odd", True, "no answer in 5 s"))
    assert "that billing odd does not answer could not be kept" in caplog.text
    db.close()


# -- what goes through one ---------------------------------------------------------------------------------------------


def methods(shape: type) -> list[str]:
    return [name for name, member in vars(shape).items() if callable(member) and not name.startswith("_")]


@pytest.mark.parametrize(
    ("shape", "guard"),
    [(BillingBackend, GuardedBilling), (PaymentMethod, GuardedMethod), (NoticeChannel, GuardedChannel)],
)
def test_no_method_of_a_plugin_is_called_without_its_breaker(shape: type, guard: Any, plugin: Plugin) -> None:
    times = Times(SOON, SOON, SOON, SOON)
    hanging = {name: lambda *_given: plugin() for name in methods(shape)}
    made = type("Hanging", (), {"title": "x", "way": "none", "origins": (), "audience": "once", **hanging})()
    assert len(methods(shape)) > 1
    for name in methods(shape):
        guarded = guard(made, Breaker("test", name), times)
        call = getattr(guarded, name)
        given = [None] * len([one for one in signature(call).parameters.values() if one.default is one.empty])
        with pytest.raises(TooSlow):
            call(*given)
    assert plugin.asked == len(methods(shape))

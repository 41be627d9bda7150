"""Identifying customers, logging in, sessions and held forms: what is told to whom, and what is not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from threading import Barrier, Lock
from typing import TypeVar

import peewee as pw
import pytest

from engine.attempt import Refusal
from engine.store.base import database
from engine.store.opening import open_database
from engine.text import catalogue as translations
from tests.kit.databases import close_database
from tests.kit.hash_work import hash_work
from workflows.business.access import limits
from workflows.business.access.access import Access
from workflows.business.access.limits import APPLY_ADDRESS, APPLY_CUSTOMER
from workflows.business.access.log_in import LoggedIn
from workflows.business.access.passwords import Hasher
from workflows.business.access.pending_application import PendingInput
from workflows.business.access.sessions import end_sessions
from workflows.business.access.throttle import Throttles
from workflows.business.access.vault import Vault
from workflows.business.catalogue import DEFAULT_CATALOGUE
from workflows.business.records import Account, Contract, Customer, PendingApplication, Session, Throttle

NOON = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)  # 12:00 in Tokyo
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SECRET = b"a secret of the site"
VAULT = Vault(SECRET)
PASSWORD = "correct horse 電池 staple"
EMAIL = "taro@acme.example.jp"
HOME, ELSEWHERE = "192.0.2.10", "198.51.100.20"
THREADS = 50

T = TypeVar("T")


class CountingHasher(Hasher):
    """Counts how often a password was verified, against nobody's hash too; cheap."""

    def __init__(self, time_cost: int = 1) -> None:
        super().__init__(time_cost=time_cost, memory_cost=8, parallelism=1)
        self.verified = 0
        self._counting = Lock()

    def verify(self, hash: str, password: str) -> bool:
        with self._counting:
            self.verified += 1
        return super().verify(hash, password)

    def count(self, work: Callable[[], object]) -> int:
        """How many verifications `work` takes."""
        before = self.verified
        work()
        return self.verified - before


class InterruptedHasher(Hasher):
    """Somebody else acts while a password is being verified."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self._meanwhile = meanwhile

    def verify(self, hash: str, password: str) -> bool:
        right = super().verify(hash, password)
        self._meanwhile()
        return right


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(autouse=True)
def db(database_url: str) -> Iterator[pw.Database]:
    """An empty, migrated database, which all records use."""
    opened = open_database(database_url, pool=THREADS + 4)
    yield opened
    close_database(opened)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hasher() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
def access(hasher: CountingHasher, clock: Clock) -> Access:
    return Access(SECRET, hasher, VAULT, DEFAULT_CATALOGUE, Throttles(SECRET, clock), clock)


@pytest.fixture
def acme(hasher: CountingHasher) -> Account:
    """An account of a customer with both products under different names."""
    customer = add_customer("A00000001")
    add_contract(customer, "acme")
    add_contract(customer, "acme-chat", "chatluck")
    return add_account(customer, hasher)


def add_customer(number: str, channel: str = "direct") -> Customer:
    return Customer.create(
        number=number,
        company="アクメ株式会社",
        channel=channel,
        contractor_name="アクメ",
        contractor_email="contract@acme.example.jp",
    )


def add_contract(
    customer: Customer, subdomain: str, product: str = "desknets-neo", ended_on: date | None = None
) -> Contract:
    return Contract.create(
        customer=customer,
        product=product,
        subdomain=subdomain,
        term="monthly",
        payment_method="bank_transfer",
        users=10,
        started_on=date(2024, 4, 1),
        ended_on=ended_on,
    )


def add_account(customer: Customer, hasher: Hasher, password: str = PASSWORD, email: str = EMAIL) -> Account:
    return Account.create(
        customer=customer,
        email=email,
        user_name="太郎",
        password_hash=hasher.hash(password),
        role="admin",
        created_at=NOON - DAY,
    )


def codes(answer: object) -> list[str]:
    """The codes of refusals; empty for anything else."""
    return [refusal.code for refusal in answer if isinstance(refusal, Refusal)] if isinstance(answer, tuple) else []


def logged_in(answer: LoggedIn | tuple[Refusal, ...]) -> LoggedIn:
    assert isinstance(answer, LoggedIn), answer
    return answer


def at_once(work: Callable[[int], T]) -> list[T]:
    """What `work` gives in as many threads as there are, all let go at the same moment."""
    gate = Barrier(THREADS)

    def run(number: int) -> T:
        with database.connection_context():
            gate.wait()
            return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def dump(*tables: str) -> str:
    """Every row of the tables, of all of them where none is named."""
    names = tables or tuple(database.get_tables())
    return "\n".join(repr(row) for name in names for row in database.execute_sql(f'SELECT * FROM "{name}"').fetchall())


def queries(caplog: pytest.LogCaptureFixture, work: Callable[[], object]) -> list[str]:
    """The texts of the statements that `work` sends."""
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="peewee"):
        work()
    return [record.msg[0] for record in caplog.records]


# アカウント作成お申込み


@pytest.mark.parametrize(
    "subdomain", ["acme", "acme-chat", "ＡＣＭＥ", "https://acme.dn-cloud.com/cgi-bin/dneo/dneo.cgi"]
)
def test_number_and_either_subdomain_identify_a_customer(access: Access, acme: Account, subdomain: str) -> None:
    found = access.identification.identify("Ａ０００００００１", subdomain, HOME)
    assert isinstance(found, Customer)
    assert found.id == acme.customer.id


def test_wrong_number_and_wrong_subdomain_are_one_answer(
    access: Access, acme: Account, caplog: pytest.LogCaptureFixture
) -> None:
    other = add_customer("A00000002")
    add_contract(other, "other")
    partner = add_customer("A00000003", "partner")
    add_contract(partner, "partner")
    wrong = [
        ("A99999999", "acme"),
        ("A00000001", "nobody"),
        ("A99999999", "nobody"),
        ("A00000001", "other"),
        ("A00000003", "acme"),
        ("A00000001", "partner"),
        ("A00000001", "https://acme.chatluck.net/"),
    ]
    answers = [access.identification.identify(number, subdomain, HOME) for number, subdomain in wrong]
    assert len(set(answers)) == 1
    assert codes(answers[0]) == ["unknown_customer"]
    statements = {}
    for number, subdomain in wrong[:-1]:  # a URL asks for its product too, and says so itself
        Throttle.delete().execute()
        asked = partial(access.identification.identify, number, subdomain, HOME)
        statements[number, subdomain] = queries(caplog, asked)
    assert len({tuple(texts) for texts in statements.values()}) == 1, statements


def test_malformed_fields_are_all_told_and_are_no_guess(access: Access, acme: Account) -> None:
    for _time in range(100):
        answer = access.identification.identify("00000001", "https://elsewhere.example.com/", HOME)
    assert isinstance(answer, tuple)
    assert [refusal.field for refusal in answer] == ["customer_number", "subdomain"]
    assert codes(access.identification.identify("A00000001", "-", HOME)) == ["subdomain_invalid"]
    assert codes(access.identification.identify("", "acme", HOME)) == ["customer_number_missing"]
    assert Throttle.select().count() == 0
    assert isinstance(access.identification.identify("A00000001", "acme", HOME), Customer)


@pytest.mark.parametrize(("channel", "code"), [("partner", "partner_customer"), ("asp", "asp_customer")])
def test_partner_and_asp_customers_are_refused_once_they_are_right(access: Access, channel: str, code: str) -> None:
    add_contract(add_customer("A00000001", channel), "acme")
    assert codes(access.identification.identify("A00000001", "acme", HOME)) == [code]
    assert codes(access.identification.identify("A00000001", "nobody", HOME)) == ["unknown_customer"]
    assert codes(access.identification.identify("A00000002", "acme", HOME)) == ["unknown_customer"]


def test_asp_refusal_names_the_products(access: Access) -> None:
    add_contract(add_customer("A00000001", "asp"), "acme")
    answer = access.identification.identify("A00000001", "acme", HOME)
    assert isinstance(answer, tuple)
    assert "desknet's NEO／ChatLuckをご利用のお客様は" in str(answer[0].message)


def test_contract_runs_until_its_last_day_is_over_in_tokyo(access: Access, clock: Clock) -> None:
    customer = add_customer("A00000001")
    add_contract(customer, "acme", ended_on=date(2026, 6, 30))
    clock.now = datetime(2026, 6, 30, 14, 59, 59, tzinfo=UTC)
    assert isinstance(access.identification.identify("A00000001", "acme", HOME), Customer)
    clock.now = datetime(2026, 6, 30, 15, 0, tzinfo=UTC)
    assert codes(access.identification.identify("A00000001", "acme", HOME)) == ["contract_ended"]
    assert codes(access.identification.identify("A00000001", "nobody", HOME)) == ["unknown_customer"]
    add_contract(customer, "acme-chat", "chatluck")
    assert isinstance(access.identification.identify("A00000001", "acme", HOME), Customer), (
        "another contract still runs"
    )


def test_wrong_applications_are_throttled_per_network(access: Access, acme: Account, clock: Clock) -> None:
    burst = limits.IDENTIFY_NETWORK.burst
    for number in range(burst):
        address = f"2001:db8::{number:x}"
        assert codes(access.identification.identify(f"A9{number:07}", f"nobody{number}", address)) == [
            "unknown_customer"
        ]
    assert codes(access.identification.identify("A00000001", "acme", "2001:db8::ffff")) == ["too_many"]
    assert isinstance(access.identification.identify("A00000001", "acme", "2001:db8:0:1::1"), Customer)
    clock.now += limits.IDENTIFY_NETWORK.per
    assert isinstance(access.identification.identify("A00000001", "acme", "2001:db8::ffff"), Customer)


def test_wrong_applications_are_throttled_per_number_and_per_subdomain(access: Access, acme: Account) -> None:
    for number in range(limits.IDENTIFY_NUMBER.burst):
        access.identification.identify("A00000001", f"nobody{number}", f"203.0.113.{number}")
    assert codes(access.identification.identify("A00000001", "acme", HOME)) == ["too_many"]
    Throttle.delete().execute()
    for number in range(limits.IDENTIFY_SUBDOMAIN.burst):
        access.identification.identify(f"A9{number:07}", "acme", f"203.0.113.{number}")
    assert codes(access.identification.identify("A00000001", "acme", HOME)) == ["too_many"]
    assert isinstance(access.identification.identify("A00000001", "acme-chat", HOME), Customer)


def test_right_applications_use_up_no_guesses(access: Access, acme: Account) -> None:
    for _time in range(limits.IDENTIFY_NETWORK.burst + 5):
        assert isinstance(access.identification.identify("A00000001", "acme", HOME), Customer)


# ログイン


@pytest.mark.parametrize("subdomain", ["acme", "acme-chat", "https://acme-chat.chatluck.net/"])
def test_three_together_log_in(access: Access, acme: Account, subdomain: str) -> None:
    opened = logged_in(access.log_ins.log_in(subdomain, " ＴＡＲＯ@acme.example.jp", PASSWORD, HOME))
    assert opened.account.id == acme.id
    found = access.sessions.account(opened.token, NOON)
    assert found is not None
    assert (found.id, found.customer.number) == (acme.id, "A00000001")


def test_any_mismatch_is_one_answer_with_the_same_work(
    access: Access, acme: Account, hasher: CountingHasher, caplog: pytest.LogCaptureFixture
) -> None:
    other = add_customer("A00000002")
    add_contract(other, "other")
    add_account(other, hasher, "another password", "hanako@other.example.jp")
    wrong = [
        ("acme", EMAIL, "wrong"),
        ("acme", EMAIL, "another password"),
        ("acme", EMAIL, PASSWORD + " "),
        ("acme", "nobody@acme.example.jp", PASSWORD),
        ("nobody", EMAIL, PASSWORD),
        ("other", EMAIL, PASSWORD),
        ("acme", "hanako@other.example.jp", "another password"),
    ]
    answers, counts, statements = set(), set(), set()
    for subdomain, email, password in wrong:
        Throttle.delete().execute()
        before = hasher.verified
        texts = queries(
            caplog,
            lambda s=subdomain, e=email, p=password: answers.add(access.log_ins.log_in(s, e, p, HOME)),  # type: ignore[misc]
        )
        counts.add(hasher.verified - before)
        statements.add(tuple(texts))
    assert [codes(answer) for answer in answers] == [["log_in_mismatch"]]
    assert counts == {1}
    assert len(statements) == 1, statements
    assert Session.select().count() == 0


def test_malformed_log_in_is_told_by_field_and_is_no_guess(access: Access, hasher: CountingHasher) -> None:
    for _time in range(100):
        answer = access.log_ins.log_in("", "not an address", "", HOME)
    assert isinstance(answer, tuple)
    assert [refusal.field for refusal in answer] == ["subdomain", "email", "password"]
    assert Throttle.select().count() == 0
    assert hasher.verified == 0


def test_every_log_in_has_a_token_of_its_own(access: Access, acme: Account) -> None:
    opened = [logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)) for _time in range(3)]
    assert len({one.token for one in opened}) == 3
    assert all(len(one.token) == 43 for one in opened), "32 bytes in base64url"
    assert Session.select().count() == 3


def test_right_log_ins_use_up_no_guesses(access: Access, acme: Account) -> None:
    for _time in range(limits.LOG_IN_HERE.burst * 2):
        logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME))


def test_wrong_log_ins_are_throttled_here_and_not_elsewhere(
    access: Access, acme: Account, hasher: CountingHasher, clock: Clock
) -> None:
    for _time in range(limits.LOG_IN_HERE.burst):
        assert codes(access.log_ins.log_in("acme", EMAIL, "wrong", HOME)) == ["log_in_mismatch"]
    before = hasher.verified
    answer = access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)
    assert codes(answer) == ["too_many"]
    assert hasher.verified == before, "a throttled log-in checks nothing"
    logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, ELSEWHERE))
    clock.now += limits.LOG_IN_HERE.per
    logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME))


def test_accounts_that_do_not_exist_are_throttled_alike(access: Access, acme: Account) -> None:
    answers = {}
    for email in (EMAIL, "nobody@acme.example.jp"):
        Throttle.delete().execute()
        answers[email] = [access.log_ins.log_in("acme", email, "wrong", HOME) for _time in range(12)]
    first, second = answers.values()
    assert first == second
    assert codes(first[-1]) == ["too_many"]


def test_url_and_name_share_a_bucket(access: Access, acme: Account) -> None:
    spellings = ["acme", "ACME", "https://acme.dn-cloud.com/", "acme.dn-cloud.com"]
    for number in range(limits.LOG_IN_HERE.burst):
        access.log_ins.log_in(spellings[number % 4], EMAIL.upper(), "wrong", HOME)
    assert {tuple(codes(access.log_ins.log_in(one, EMAIL, PASSWORD, HOME))) for one in spellings} == {("too_many",)}


def test_one_network_cannot_try_one_password_on_everybody(access: Access, acme: Account) -> None:
    for number in range(limits.LOG_IN_NETWORK.burst):
        access.log_ins.log_in("acme", f"user{number}@acme.example.jp", "wrong", HOME)
    assert codes(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)) == ["too_many"]


def attack_from_everywhere(access: Access) -> None:
    for number in range(limits.LOG_IN_IDENTITY.burst):
        access.log_ins.log_in("acme", EMAIL, "wrong", f"203.0.{number // 250}.{number % 250}")


def test_botnet_is_bounded_and_does_not_lock_the_owner_out(access: Access, acme: Account, clock: Clock) -> None:
    device = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).device
    attack_from_everywhere(access)
    assert codes(access.log_ins.log_in("acme", EMAIL, PASSWORD, "198.51.100.99")) == ["too_many"]
    logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME, device))
    logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, ELSEWHERE, device))
    clock.now += limits.LOG_IN_IDENTITY.per
    logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, ELSEWHERE))


def test_device_made_after_a_mailed_link_gets_the_owner_in(access: Access, acme: Account) -> None:
    attack_from_everywhere(access)
    logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, ELSEWHERE, access.log_ins.device(acme.id)))


def test_known_device_has_few_guesses_too(access: Access, acme: Account, hasher: CountingHasher) -> None:
    device = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).device
    attack_from_everywhere(access)
    for _time in range(limits.LOG_IN_DEVICE.burst):
        assert codes(access.log_ins.log_in("acme", EMAIL, "wrong", HOME, device)) == ["log_in_mismatch"]
    assert codes(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME, device)) == ["too_many"]


def test_full_device_still_has_a_strangers_guesses(access: Access, acme: Account) -> None:
    device = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).device
    for _time in range(limits.LOG_IN_DEVICE.burst):
        access.log_ins.log_in("acme", EMAIL, "wrong", HOME, device)
    logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME, device))


def test_renewed_device_keeps_its_bucket(access: Access, acme: Account) -> None:
    first = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).device
    second = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME, first)).device
    attack_from_everywhere(access)
    for _time in range(limits.LOG_IN_DEVICE.burst):
        access.log_ins.log_in("acme", EMAIL, "wrong", HOME, first)
    assert codes(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME, second)) == ["too_many"]


def test_device_counts_for_its_own_account_and_180_days(
    access: Access, acme: Account, hasher: CountingHasher, clock: Clock
) -> None:
    mine = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).device
    colleague = add_account(acme.customer, hasher, "another password", "hanako@acme.example.jp")
    body, _dot, signature = mine.rpartition(".")
    forged = [
        access.log_ins.device(colleague.id),
        mine[:-1],
        f"{body}.{signature[::-1]}",
        f"{body.replace(str(acme.id), str(colleague.id), 1)}.{signature}",
        Access(b"another secret", hasher, VAULT, DEFAULT_CATALOGUE, Throttles(SECRET, clock), clock).log_ins.device(
            acme.id
        ),
        access.log_ins.device(acme.id, NOON - timedelta(days=180)),
        "",
        ".",
        "..." + signature,
        "端末.\udcff.é",
    ]
    attack_from_everywhere(access)
    for device in forged:
        assert codes(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME, device)) == ["too_many"], device
    logged_in(
        access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME, access.log_ins.device(acme.id, NOON - timedelta(days=179)))
    )


def test_fifty_wrong_log_ins_at_once_are_checked_only_as_often_as_allowed(
    access: Access, acme: Account, hasher: CountingHasher
) -> None:
    before = hasher.verified
    answers = at_once(lambda _number: access.log_ins.log_in("acme", EMAIL, "wrong", HOME))
    burst = limits.LOG_IN_HERE.burst
    assert sorted(code for answer in answers for code in codes(answer)) == sorted(
        ["log_in_mismatch"] * burst + ["too_many"] * (THREADS - burst)
    )
    assert hasher.verified - before == burst


def two_customers_of_one_name(hasher: Hasher, second_password: str) -> tuple[Account, Account]:
    neo, chat = add_customer("A00000001"), add_customer("A00000002")
    add_contract(neo, "acme")
    add_contract(chat, "acme", "chatluck")
    return add_account(neo, hasher), add_account(chat, hasher, second_password)


def test_name_of_two_customers_is_decided_by_the_password(access: Access, hasher: CountingHasher) -> None:
    first, second = two_customers_of_one_name(hasher, "another password")
    assert logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).account.id == first.id
    assert logged_in(access.log_ins.log_in("acme", EMAIL, "another password", HOME)).account.id == second.id


def test_name_of_two_customers_with_one_password_is_decided_by_the_url(access: Access, hasher: CountingHasher) -> None:
    first, second = two_customers_of_one_name(hasher, PASSWORD)
    assert codes(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)) == ["subdomain_ambiguous"]
    assert codes(access.log_ins.log_in("acme", EMAIL, "wrong", HOME)) == ["log_in_mismatch"]
    assert logged_in(access.log_ins.log_in("acme.dn-cloud.com", EMAIL, PASSWORD, HOME)).account.id == first.id
    assert logged_in(access.log_ins.log_in("acme.chatluck.net", EMAIL, PASSWORD, HOME)).account.id == second.id
    Contract.update(ended_on=date(2026, 6, 30)).where(Contract.customer == first.customer).execute()
    assert logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).account.id == second.id


def test_name_of_two_customers_takes_two_verifications_for_everybody(access: Access, hasher: CountingHasher) -> None:
    first, _second = two_customers_of_one_name(hasher, "another password")
    add_account(first.customer, hasher, "third password", "hanako@acme.example.jp")
    typed = [
        (EMAIL, PASSWORD),
        (EMAIL, "another password"),
        (EMAIL, "wrong"),
        ("hanako@acme.example.jp", "third password"),
        ("hanako@acme.example.jp", "wrong"),
        ("nobody@acme.example.jp", "wrong"),
    ]
    for email, password in typed:
        assert hasher.count(partial(access.log_ins.log_in, "acme", email, password, HOME)) == 2
    assert (
        hasher.count(lambda: access.log_ins.log_in("acme.chatluck.net", "nobody@acme.example.jp", "wrong", HOME)) == 1
    )


@pytest.mark.parametrize(("channel", "code"), [("partner", "partner_customer"), ("asp", "asp_customer")])
def test_customer_who_went_to_a_partner_is_told_so_after_the_password(
    access: Access, acme: Account, channel: str, code: str
) -> None:
    Customer.update(channel=channel).execute()
    assert codes(access.log_ins.log_in("acme", EMAIL, "wrong", HOME)) == ["log_in_mismatch"]
    assert codes(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)) == [code]
    assert Session.select().count() == 0


def test_ended_contracts_are_told_only_after_the_password_was_right(access: Access, acme: Account) -> None:
    Contract.update(ended_on=date(2026, 6, 30)).where(Contract.subdomain == "acme").execute()
    logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME))
    Contract.update(ended_on=date(2026, 6, 30)).execute()
    Session.delete().execute()
    assert codes(access.log_ins.log_in("acme", EMAIL, "wrong", HOME)) == ["log_in_mismatch"]
    assert codes(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)) == ["contract_ended"]
    assert Session.select().count() == 0


def test_hash_of_old_costs_is_replaced_on_log_in(access: Access, acme: Account, hasher: CountingHasher) -> None:
    old = Hasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    Account.update(password_hash=old).execute()
    access.log_ins.log_in("acme", EMAIL, "wrong", HOME)
    assert Account.get().password_hash == old
    opened = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME))
    new = Account.get().password_hash
    assert new != old
    assert opened.account.password_hash == new
    assert hasher.kept_hash(new, PASSWORD) == new
    logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME))
    assert Account.get().password_hash == new


@pytest.mark.parametrize(
    ("email", "password", "before", "hashes"),
    [
        ("nobody@acme.example.jp", PASSWORD, False, 1),
        (EMAIL, "wrong", False, 1),
        (EMAIL, "wrong", True, 1),
        (EMAIL, "wrong か\u3099", True, 1),
        (EMAIL, "tab\there", False, 1),
        (EMAIL, PASSWORD, False, 1),
        (EMAIL, PASSWORD, True, 2),  # its owner's hash is renewed
    ],
)
def test_a_log_in_takes_one_hash_whoever_there_is(
    access: Access,
    acme: Account,
    monkeypatch: pytest.MonkeyPatch,
    email: str,
    password: str,
    before: bool,
    hashes: int,
) -> None:
    if before:
        Account.update(password_hash=acme.password_hash.removesuffix("$opaque")).execute()
    work = hash_work(monkeypatch)
    answer = access.log_ins.log_in("acme", email, password, HOME)
    assert isinstance(answer, LoggedIn) == (email == EMAIL and password == PASSWORD)
    assert len(work) == hashes
    assert Account.get().password_hash.endswith("$opaque") == (not before or isinstance(answer, LoggedIn))


def test_password_set_on_one_device_opens_the_door_from_another(access: Access, acme: Account, hasher: Hasher) -> None:
    Account.update(password_hash=hasher.hash("がくあじさい wobble")).execute()
    logged_in(access.log_ins.log_in("acme", EMAIL, "か\u3099くあし\u3099さい\u3000wobble", HOME))


def test_a_carriers_address_is_one_account_with_quotes_and_without(
    access: Access, acme: Account, hasher: Hasher
) -> None:
    Account.update(email="a..b.@docomo.ne.jp").execute()
    for email in ("a..b.@docomo.ne.jp", '"A..b."@docomo.ne.jp', "ａ．．ｂ．＠docomo.ne.jp"):
        logged_in(access.log_ins.log_in("acme", email, PASSWORD, HOME))
    Account.update(email=f"{'x' * 65}@acme.example.jp").execute()
    logged_in(access.log_ins.log_in("acme", f"{'x' * 65}@acme.example.jp", PASSWORD, HOME))


def test_password_changed_while_it_was_verified_opens_nothing(acme: Account, clock: Clock) -> None:
    changed = Hasher.cheapest().hash("a new password")

    def change() -> None:
        Account.update(password_hash=changed).execute()

    racing = Access(SECRET, InterruptedHasher(change), VAULT, DEFAULT_CATALOGUE, Throttles(SECRET, clock), clock)
    assert codes(racing.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)) == ["log_in_mismatch"]
    assert Session.select().count() == 0
    assert Account.get().password_hash == changed


def test_hash_renewed_by_the_first_of_two_clicks_opens_to_the_second(acme: Account, clock: Clock) -> None:
    before, renewed = acme.password_hash.removesuffix("$opaque"), acme.password_hash
    Account.update(password_hash=before).execute()

    def renew() -> None:
        Account.update(password_hash=renewed).execute()

    second = Access(SECRET, InterruptedHasher(renew), VAULT, DEFAULT_CATALOGUE, Throttles(SECRET, clock), clock)
    opened = logged_in(second.log_ins.log_in("acme", EMAIL, PASSWORD, HOME))
    assert second.sessions.account(opened.token, NOON) is not None
    assert Account.get().password_hash == renewed


def test_account_deleted_while_its_password_was_verified_opens_nothing(acme: Account, clock: Clock) -> None:
    def delete() -> None:
        Account.delete().execute()

    racing = Access(SECRET, InterruptedHasher(delete), VAULT, DEFAULT_CATALOGUE, Throttles(SECRET, clock), clock)
    assert codes(racing.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)) == ["log_in_mismatch"]


# セッション


def test_idle_session_ends(access: Access, acme: Account) -> None:
    token = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).token
    assert access.sessions.account(token, NOON + 29 * MINUTE) is not None
    assert access.sessions.account(token, NOON + 59 * MINUTE - timedelta(microseconds=1)) is not None
    assert access.sessions.account(token, NOON + 2 * HOUR) is None


def test_a_session_ends_with_the_last_contract(access: Access, acme: Account) -> None:
    token = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).token
    today, midnight = date(2026, 7, 1), datetime(2026, 7, 1, 15, tzinfo=UTC)  # in Tokyo
    Contract.update(ended_on=today).where(Contract.product == "chatluck").execute()
    Session.update(created_at=midnight - HOUR, seen_at=midnight - MINUTE).execute()
    assert access.sessions.account(token, midnight) is not None
    Contract.update(ended_on=today).execute()
    assert access.sessions.account(token, midnight - timedelta(microseconds=1)) is not None  # its last day counts
    assert access.sessions.account(token, midnight) is None


def test_a_session_ends_where_the_channel_is_no_longer_direct(access: Access, acme: Account) -> None:
    token = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).token
    Customer.update(channel="partner").execute()
    assert access.sessions.account(token, NOON) is None


def test_session_ends_at_the_idle_time_exactly(access: Access, acme: Account) -> None:
    token = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).token
    assert access.sessions.account(token, NOON + 30 * MINUTE) is None
    assert access.sessions.account(token, NOON + 30 * MINUTE - timedelta(microseconds=1)) is not None


def test_busy_session_ends_twelve_hours_after_log_in(access: Access, acme: Account) -> None:
    token = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).token
    for quarter in range(48):
        assert access.sessions.account(token, NOON + quarter * 15 * MINUTE) is not None
    assert access.sessions.account(token, NOON + 12 * HOUR - timedelta(microseconds=1)) is not None
    assert access.sessions.account(token, NOON + 12 * HOUR) is None


def test_reading_pages_writes_at_most_once_a_minute(access: Access, acme: Account) -> None:
    token = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).token
    access.sessions.account(token, NOON + timedelta(seconds=59))
    assert Session.get().seen_at == NOON
    access.sessions.account(token, NOON + timedelta(seconds=60))
    assert Session.get().seen_at == NOON + MINUTE
    access.sessions.account(token, NOON + timedelta(seconds=30))
    assert Session.get().seen_at == NOON + MINUTE, "an overtaken request takes nothing back"


def test_requests_that_overtake_each_other_never_take_a_session_back(access: Access, acme: Account) -> None:
    token = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).token
    times = [NOON + number * timedelta(seconds=30) for number in range(THREADS)]
    at_once(lambda number: access.sessions.account(token, times[-1 - number]))
    assert Session.get().seen_at > times[-1] - MINUTE


def test_unknown_token_is_nobody(access: Access, acme: Account) -> None:
    token = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).token
    for wrong in ("", token[:-1], token + "=", Session.get().token, "端末\udcff\0"):
        assert access.sessions.account(wrong, NOON) is None


def test_log_out_ends_one_session_and_twice_is_as_good(access: Access, acme: Account) -> None:
    first, second = (logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).token for _time in "ab")
    access.sessions.log_out(first)
    access.sessions.log_out(first)
    assert access.sessions.account(first) is None
    assert access.sessions.account(second) is not None


def test_ending_sessions_spares_the_one_named_and_other_accounts(
    access: Access, acme: Account, hasher: CountingHasher
) -> None:
    colleague = add_account(acme.customer, hasher, "another password", "hanako@acme.example.jp")
    mine, *others = (logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).token for _time in "abc")
    hers = logged_in(access.log_ins.log_in("acme", colleague.email, "another password", HOME)).token
    assert end_sessions(acme.id, except_token=mine) == 2
    assert [access.sessions.account(token) is not None for token in (mine, *others, hers)] == [True, False, False, True]
    with database.atomic():
        assert end_sessions(acme.id) == 1
    assert access.sessions.account(mine) is None


# 確認画面


def pending(account: Account) -> PendingInput:
    return PendingInput(account.customer.id, "jiro@acme.example.jp", "次郎", "a long new password")


def test_held_form_is_there_for_thirty_minutes(access: Access, acme: Account, hasher: CountingHasher) -> None:
    token = access.pending_applications.keep(pending(acme))
    found = access.pending_applications.look(token, NOON + 30 * MINUTE - timedelta(microseconds=1))
    assert found is not None
    assert (found.customer.number, found.email, found.user_name) == ("A00000001", "jiro@acme.example.jp", "次郎")
    assert hasher.verify(found.password_hash, "a long new password")
    assert access.pending_applications.look(token, NOON + 30 * MINUTE) is None
    assert access.pending_applications.look("", NOON) is None
    assert access.pending_applications.look(found.token, NOON) is None, "what is stored opens nothing"


def test_dropped_form_answers_a_second_click_and_then_no_more(access: Access, acme: Account) -> None:
    token = access.pending_applications.keep(pending(acme))
    access.pending_applications.drop(token, NOON + 5 * MINUTE)
    access.pending_applications.drop(token, NOON + 5 * MINUTE + timedelta(seconds=30))
    assert access.pending_applications.look(token, NOON + 6 * MINUTE - timedelta(microseconds=1)) is not None
    assert access.pending_applications.look(token, NOON + 6 * MINUTE) is None
    late = access.pending_applications.keep(pending(acme), NOON)
    access.pending_applications.drop(late, NOON + 30 * MINUTE - timedelta(seconds=1))
    assert access.pending_applications.look(late, NOON + 30 * MINUTE) is None, "dropping prolongs nothing"


def test_purge_deletes_what_is_over_and_only_that(access: Access, acme: Account, clock: Clock) -> None:
    kept = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME)).token
    logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME))
    access.sessions.account(kept, NOON + 20 * MINUTE)
    form = access.pending_applications.keep(pending(acme), NOON + 20 * MINUTE)
    access.pending_applications.keep(pending(acme), NOON)
    Throttle.delete().execute()
    access.log_ins.log_in("acme", EMAIL, "wrong", HOME)
    full_last = Throttle.select(pw.fn.MAX(Throttle.full_at)).scalar()
    assert full_last == NOON + limits.LOG_IN_IDENTITY.per
    assert access.purge(NOON + 30 * MINUTE) == 1 + 1 + 3
    assert access.sessions.account(kept, NOON + 30 * MINUTE) is not None
    assert access.pending_applications.look(form, NOON + 30 * MINUTE) is not None
    Session.update(seen_at=NOON + 12 * HOUR).execute()
    assert access.purge(NOON + 12 * HOUR) == 2, "the absolute time counts too"


def test_dump_shows_no_token_password_or_address(access: Access, acme: Account) -> None:
    opened = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME))
    access.log_ins.log_in("acme", EMAIL, "a wrong password", HOME, opened.device)
    access.log_ins.log_in("acme", "nobody@acme.example.jp", "a wrong password", "2001:db8:1:2::3")
    access.identification.identify("A00000009", "acme", ELSEWHERE)
    token = access.pending_applications.keep(pending(acme))
    assert Session.select().count() == PendingApplication.select().count() == 1
    assert Throttle.select().count() >= 7
    everything = dump()
    secrets = [opened.token, opened.device, token, PASSWORD, "a long new password", "a wrong password"]
    assert not [secret for secret in secrets if secret in everything]
    guesses = dump("throttle", "session")
    clear = [EMAIL, "nobody@", "acme", HOME, ELSEWHERE, "2001:db8", "A00000009", *opened.device.split(".")[1:]]
    assert not [word for word in clear if word in guesses]


def test_nothing_secret_is_in_a_repr(access: Access, acme: Account) -> None:
    opened = logged_in(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME))
    shown = repr(opened) + repr(pending(acme))
    assert not [secret for secret in (opened.token, opened.device, "a long new password") if secret in shown]


def test_every_refusal_has_an_english_text(access: Access, acme: Account, hasher: CountingHasher) -> None:
    answers: list[object] = [
        access.identification.identify("A00000009", "acme", HOME),
        access.log_ins.log_in("acme", EMAIL, "wrong", HOME),
    ]
    for channel in ("partner", "asp"):
        Customer.update(channel=channel).execute()
        answers.append(access.identification.identify("A00000001", "acme", HOME))
    Customer.update(channel="direct").execute()
    second = add_customer("A00000002")
    add_contract(second, "acme", "chatluck")
    add_account(second, hasher)
    answers.append(access.log_ins.log_in("acme", EMAIL, PASSWORD, HOME))
    Contract.update(ended_on=date(2026, 6, 30)).execute()
    answers.append(access.identification.identify("A00000001", "acme", HOME))
    refusals = [refusal for answer in answers if isinstance(answer, tuple) for refusal in answer]
    assert len({refusal.code for refusal in refusals}) == 6
    assert not [refusal.code for refusal in refusals if translations.find(refusal.message.msgid, "en") is None]


def test_applications_to_one_address_are_limited_and_a_refused_one_does_not_count(access: Access) -> None:
    for _ in range(APPLY_ADDRESS.burst):
        assert access.applications.admit(1, "taro@example.com") is None
    refused = access.applications.admit(1, "taro@example.com")
    assert refused is not None
    assert refused.code == "too_many"
    access.applications.give_back(1, "taro@example.com")
    assert access.applications.admit(1, "taro@example.com") is None
    assert access.applications.admit(1, "hanako@example.com") is None


def test_applications_of_one_customer_are_limited_whatever_the_addresses(access: Access) -> None:
    admitted = [access.applications.admit(7, f"u{n}@example.com") for n in range(APPLY_CUSTOMER.burst + 1)]
    assert admitted[:-1] == [None] * APPLY_CUSTOMER.burst
    assert admitted[-1] is not None
    assert access.applications.admit(8, "u0@example.com") is None

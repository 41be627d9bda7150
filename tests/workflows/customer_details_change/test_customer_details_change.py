"""お客様情報の変更 through the engine alone: applied, looked at, refused, taken back; never over another's change."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attempt import SYSTEM_ACTOR, Actor, Refusal
from engine.errors import EventNotPossible, Forbidden, Refused
from engine.operations.stuck import stuck
from engine.testing import Clock, MemoryMailer
from tests.kit.dumps import dump
from tests.kit.sites import SiteMaker, state
from web.assembly.site import Site
from workflows.business.customer_file.exporting import export_customers
from workflows.business.customer_file.importing import import_customers
from workflows.business.customer_file.problems import ImportRefused
from workflows.business.records import Account, ChangeRequest, Contract, Customer, StaffMember
from workflows.business.request_number import request_number
from workflows.business.shared.change_request import DETAIL_LABELS
from workflows.customer_details_change import read
from workflows.customer_details_change.inputs import DetailsInput, details_of, shown_digest

NAME = "customer_details_change"
PHONE = "03-9876-5432"


@pytest.fixture
def of(any_site: Site) -> Customer:
    return made("A00000001")


def made(number: str) -> Customer:
    """A customer with an account for each role and a contract."""
    customer: Customer = Customer.create(
        number=number,
        company="株式会社みほん",
        channel="direct",
        contractor_name="契約 太郎",
        contractor_email=f"info@{number.lower()}.example",
        contractor_phone="03-1234-5678",
        contractor_postcode="100-0001",
        contractor_address="東京都千代田区千代田1-1",
    )
    for role in ("viewer", "editor", "admin"):
        Account.create(
            customer=customer,
            email=f"{role}@{number.lower()}.example",
            user_name=f"見本 {role}",
            password_hash="",
            role=role,
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
    Contract.create(
        customer=customer,
        product="desknets-neo",
        subdomain=number.lower(),
        term="monthly",
        payment_method="bank_transfer",
        users=10,
        started_on=date(2024, 4, 1),
    )
    return customer


def account(of: Customer, role: str = "editor") -> Actor:
    return Actor("account", str(Account.get(customer=of, role=role).id))


@pytest.fixture
def staff(any_site: Site) -> Actor:
    member = StaffMember.create(
        email="staff@example.jp", name="担当", password_hash="", created_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    return Actor("staff", str(member.id))


def asked(of: Customer, **changes: str) -> DetailsInput:
    """The form as it was prefilled, and then changed."""
    known = details_of(Customer.get_by_id(of.id))
    return DetailsInput(**{**known, **changes}, seen=shown_digest(known))


def start(site: Site, of: Customer, role: str = "editor", **changes: str) -> int:
    data = asked(of, **(changes or {"contractor_phone": PHONE}))
    return site.engine.start(NAME, f"customer:{of.id}", account(of, role), data).instance_id


def now_of(of: Customer) -> Customer:
    found: Customer = Customer.get_by_id(of.id)
    return found


def mails(site: Site, mailer: MemoryMailer) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Subject, To and Cc of what was sent, once all is; without what the staff get as it enters review."""
    site.dispatcher.drain()
    sent = [(mail.subject, mail.to, mail.cc) for mail in mailer.sent]
    return [one for one in sent if not one[0].startswith("【要対応】")]


CONTRACTOR, EDITOR_MAIL = ("info@a00000001.example",), ("editor@a00000001.example",)
RECEIVED = ("お客様情報の変更を受け付けました", CONTRACTOR, EDITOR_MAIL)
APPLIED = ("お客様情報の変更が完了しました", CONTRACTOR, EDITOR_MAIL)


def test_small_change_is_applied_at_once(any_site: Site, mailer: MemoryMailer, of: Customer) -> None:
    number = start(any_site, of, contractor_phone=PHONE, billing_mode="electronic")
    assert now_of(of).contractor_phone == "03-1234-5678"
    any_site.engine.run_due()
    assert state(any_site, number) == "applied"
    assert (now_of(of).contractor_phone, now_of(of).billing_mode) == (PHONE, "electronic")
    assert ChangeRequest.get_by_id(number).slot is None
    assert ChangeRequest.get_by_id(number).effective_on == any_site.services.calendar.today(any_site.clock())
    assert mails(any_site, mailer) == [RECEIVED, APPLIED]
    for mail in mailer.sent:
        for said in ("03-1234-5678", PHONE, "請求書ハガキ（通常請求）", "PDF納品書／請求書（電子請求）"):
            assert said in mail.text
            assert said in mail.html
        assert "千代田" not in mail.text  # what does not change is not sent about
    assert any_site.engine.verify(number) == []
    assert stuck(any_site.engine) == []


@pytest.mark.parametrize("name", ["company", "contractor_name"])
def test_new_name_waits_for_staff(any_site: Site, mailer: MemoryMailer, of: Customer, staff: Actor, name: str) -> None:
    number = start(any_site, of, **{name: "株式会社あたらしい"})
    any_site.engine.run_due()
    assert state(any_site, number) == "in_review"
    assert [offer.event for offer in any_site.engine.allowed(number, staff)] == ["accept", "reject"]
    any_site.engine.fire(number, "accept", staff)
    assert getattr(now_of(of), name) == "株式会社あたらしい"
    assert mails(any_site, mailer) == [RECEIVED, APPLIED]


def test_every_change_waits_for_staff_where_the_site_says_so(
    make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    site = make_site(database_url, clock=clock, mailer=mailer, review={"kinds": ["details"]})
    number = start(site, made("A00000001"))
    site.engine.run_due()
    assert state(site, number) == "in_review"


def test_rejection_needs_a_reason_which_the_customer_reads(
    any_site: Site, mailer: MemoryMailer, of: Customer, staff: Actor
) -> None:
    number = start(any_site, of, company="株式会社あたらしい")
    any_site.engine.run_due()
    for data in (None, {}, {"reason": " 　"}, {"reason": None}, {"reason": "x" * 1001}):
        with pytest.raises(Refused):
            any_site.engine.fire(number, "reject", staff, data)
    any_site.engine.fire(number, "reject", staff, {"reason": " 登記簿と異なります。 "})
    assert state(any_site, number) == "rejected"
    assert now_of(of).company == "株式会社みほん"
    assert ChangeRequest.get_by_id(number).reason == "登記簿と異なります。"
    assert "登記簿" not in repr(any_site.engine.history(number))
    assert mails(any_site, mailer) == [
        RECEIVED,
        ("お客様情報の変更をお受けできませんでした", CONTRACTOR, EDITOR_MAIL),
    ]
    assert "登記簿と異なります。" in mailer.sent[-1].text
    start(any_site, of)  # and another may be asked for


def test_open_request_can_be_withdrawn_and_is_the_only_one(
    any_site: Site, mailer: MemoryMailer, of: Customer, staff: Actor
) -> None:
    number = start(any_site, of, company="株式会社あたらしい")
    any_site.engine.run_due()
    with pytest.raises(Refused) as refused:
        start(any_site, of)
    assert refused.value.refusal.code == "already_open"
    assert any_site.engine.allowed(number, account(of, "viewer")) == ()
    any_site.engine.fire(number, "withdraw", account(of, "admin"))
    assert state(any_site, number) == "withdrawn"
    assert mails(any_site, mailer)[-1] == (
        "お客様情報の変更のお申し込みを取り下げました",
        CONTRACTOR,
        EDITOR_MAIL,
    )
    with pytest.raises(EventNotPossible):
        any_site.engine.fire(number, "accept", staff)
    start(any_site, of)


def test_overdue_review_reminds_staff_in_working_days(
    any_site: Site, clock: Clock, mailer: MemoryMailer, of: Customer
) -> None:
    clock.now = datetime(2026, 9, 17, 3, 0, tzinfo=UTC)  # a Thursday; Monday to Wednesday are public holidays
    number = start(any_site, of, company="株式会社あたらしい")
    any_site.engine.run_due()
    any_site.dispatcher.drain()
    clock.now = datetime(2026, 9, 24, 8, 29, tzinfo=UTC)  # Friday is the first working day, Thursday the second
    assert any_site.engine.run_due() == 0
    clock.forward(minutes=1)
    assert any_site.engine.run_due() == 1
    assert state(any_site, number) == "in_review"
    subject, to, cc = mails(any_site, mailer)[-1]
    assert (subject, to, cc) == (
        f"【期限超過】お客様情報の変更のお申し込み {request_number(number)} の審査",
        (any_site.organisation.staff_email,),
        (),
    )
    assert any_site.engine.next_due() is not None


@pytest.mark.parametrize("actor", ["viewer", "stranger", "visitor", "system"])
def test_only_editors_of_the_customer_may_ask(any_site: Site, of: Customer, actor: str) -> None:
    other = made("A00000002")
    who = {
        "viewer": account(of, "viewer"),
        "stranger": account(other, "admin"),
        "visitor": Actor("visitor"),
        "system": SYSTEM_ACTOR,
    }[actor]
    before = dump(any_site.db)
    with pytest.raises(Forbidden):
        any_site.engine.start(NAME, f"customer:{of.id}", who, asked(of, contractor_phone=PHONE))
    assert dump(any_site.db) == before


def test_stale_form_and_one_without_a_change_are_refused(any_site: Site, of: Customer) -> None:
    stale = asked(of, contractor_phone=PHONE)
    Customer.update(billing_name="経理部").where(Customer.id == of.id).execute()
    for data, code in ((stale, "changed_meanwhile"), (asked(of), "nothing_changes")):
        with pytest.raises(Refused) as refused:
            any_site.engine.start(NAME, f"customer:{of.id}", account(of), data)
        assert refused.value.refusal.code == code
    assert ChangeRequest.select().count() == 0


def test_change_in_between_is_not_overwritten(any_site: Site, of: Customer, staff: Actor) -> None:
    number = start(any_site, of, contractor_phone=PHONE)
    Customer.update(contractor_phone="06-1111-2222").where(Customer.id == of.id).execute()
    any_site.engine.run_due()
    assert state(any_site, number) == "in_review"  # staff decide
    accept = next(one for one in any_site.engine.explain(number, staff) if one.event == "accept")
    assert [reason.code for reason in accept.reasons] == ["not_as_confirmed"]
    with pytest.raises(Refused):
        any_site.engine.fire(number, "accept", staff)
    assert now_of(of).contractor_phone == "06-1111-2222"


def test_only_what_was_changed_is_written(any_site: Site, of: Customer) -> None:
    start(any_site, of, contractor_phone=PHONE)
    Customer.update(billing_name="経理部").where(Customer.id == of.id).execute()
    any_site.engine.run_due()
    assert (now_of(of).contractor_phone, now_of(of).billing_name) == (PHONE, "経理部")


def test_import_sees_a_change_made_here(any_site: Site, of: Customer) -> None:
    file = io.BytesIO()
    export_customers(file)
    import_customers(io.BytesIO(file.getvalue()), overwrite=True)
    start(any_site, of, contractor_phone=PHONE)
    any_site.engine.run_due()
    with pytest.raises(ImportRefused) as refused:
        import_customers(io.BytesIO(file.getvalue()))
    assert [problem.column for problem in refused.value.problems] == ["contractor_phone"]
    assert now_of(of).contractor_phone == PHONE


def test_of_two_at_once_one_wins_and_the_other_is_told(any_site: Site, of: Customer) -> None:
    forms = [asked(of, contractor_phone=PHONE), asked(of, contractor_person="別の担当")]
    actors = [account(of, "editor"), account(of, "admin")]
    ready, codes = threading.Barrier(2), []

    def send(place: int) -> None:
        ready.wait()
        try:
            any_site.engine.start(NAME, f"customer:{of.id}", actors[place], forms[place])
            codes.append("done")
        except Refused as refused:
            codes.append(refused.refusal.code)
        finally:
            any_site.db.close()

    threads = [threading.Thread(target=send, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["already_open", "done"]
    assert ChangeRequest.select().count() == 1


def test_withdraw_against_accept_has_one_winner(any_site: Site, of: Customer, staff: Actor) -> None:
    number = start(any_site, of, company="株式会社あたらしい")
    any_site.engine.run_due()
    ready, won = threading.Barrier(2), []

    def send(event: str, actor: Actor) -> None:
        ready.wait()
        try:
            won.append(any_site.engine.fire(number, event, actor).target)
        except EventNotPossible:
            pass
        finally:
            any_site.db.close()

    threads = [threading.Thread(target=send, args=way) for way in (("withdraw", account(of)), ("accept", staff))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [state(any_site, number)]
    renamed = now_of(of).company == "株式会社あたらしい"
    assert renamed is (won == ["applied"])


def test_english_contractor_gets_english_mails(
    any_site: Site, mailer: MemoryMailer, of: Customer, staff: Actor
) -> None:
    Customer.update(contractor_language="en").execute()
    number = start(any_site, of, company="Mihon Inc.")
    any_site.engine.run_due()
    any_site.engine.fire(number, "reject", staff, {"reason": "Not in the register."})
    assert [subject for subject, _to, _cc in mails(any_site, mailer)] == [
        "We have received your request to change your details",
        "Your details could not be changed",
    ]
    assert "Before: 株式会社みほん" in mailer.sent[0].text


def test_history_holds_nothing_personal(any_site: Site, of: Customer) -> None:
    number = start(any_site, of)
    any_site.engine.run_due()
    assert [(entry.event, entry.data) for entry in any_site.engine.history(number)] == [
        ("start", "{}"),
        ("triage", "{}"),
    ]


# What is typed


KNOWN = dict.fromkeys(DETAIL_LABELS, "") | {
    "company": "株式会社みほん",
    "contractor_name": "契約 太郎",
    "contractor_phone": "代表電話",  # an old record, from before these rules
    "contractor_postcode": "100-0001",
    "contractor_address": "東京都",
    "contractor_language": "ja",
    "billing_mode": "postcard",
}


def test_typed_values_become_canonical() -> None:
    typed = KNOWN | {
        "company": " 株式会社ＡＢＣ　",
        "contractor_phone": "０３９８７６５４３２",
        "contractor_postcode": "  〒　１５０　　ー　　０００１  ",
        "billing_postcode": "530 0001",
        "contractor_address": "大阪府大阪市北区梅田１－１",
    }
    found = read(typed, KNOWN, "seen")
    assert isinstance(found, DetailsInput)
    assert found == replace(
        found,
        company="株式会社ＡＢＣ",
        contractor_phone=PHONE,
        contractor_postcode="150-0001",
        billing_postcode="530-0001",
        contractor_address="大阪府大阪市北区梅田１－１",
    )


def test_what_is_known_is_taken_as_it_is() -> None:
    found = read(KNOWN, KNOWN, "seen")
    assert isinstance(found, DetailsInput)
    assert found.values == KNOWN


def test_everything_wrong_is_named_at_its_field() -> None:
    typed = dict.fromkeys(DETAIL_LABELS, "") | {
        "contractor_phone": "12",
        "contractor_postcode": "abc",
        "billing_name": "x" * 201,
        "billing_address": "a\nb",
    }
    found = read(typed, KNOWN, "seen")
    assert isinstance(found, tuple)
    assert {refusal.field: refusal.code.rpartition("_")[2] for refusal in found} == {
        "company": "missing",
        "contractor_name": "missing",
        "contractor_phone": "invalid",
        "contractor_postcode": "invalid",
        "contractor_address": "missing",
        "contractor_language": "invalid",
        "billing_name": "long",
        "billing_address": "invalid",
        "billing_mode": "invalid",
    }


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(list(DETAIL_LABELS)), st.text(max_size=60)))
def test_whatever_is_typed_is_refused_or_canonical(typed: dict[str, str]) -> None:
    found = read(KNOWN | typed, KNOWN, "seen")
    if isinstance(found, DetailsInput):
        again = read(found.values, {}, "seen") if found.contractor_phone != "代表電話" else found
        assert again == found
        assert all(len(value) <= getattr(Customer, name).max_length for name, value in found.values.items())
    else:
        assert all(isinstance(refusal, Refusal) and refusal.field in DETAIL_LABELS for refusal in found)


@given(st.from_regex(r"0[0-9]{9,10}", fullmatch=True))
def test_number_that_is_taken_stays_as_it_is_written(number: str) -> None:
    known: dict[str, Any] = KNOWN | {"contractor_phone": ""}
    found = read(known | {"contractor_phone": number}, known, "seen")
    if isinstance(found, DetailsInput):
        assert found.contractor_phone.replace("-", "") == number
        assert read(found.values, {}, "seen") == found

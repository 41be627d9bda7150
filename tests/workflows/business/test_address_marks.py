"""Mails that came back: read in every form, believed only where they name a mail of this site, and what follows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.errors import PluginError
from engine.testing import Clock, MemoryMailer
from tests.kit.applications import mailed
from tests.kit.contract_scenes import account, staff
from tests.kit.notices import NEO, begin, customer, deliver_everything, draft
from tests.kit.returned_mails import bounce, complaint
from web.assembly.site import Site
from workflows.business import address_marks
from workflows.business.address_marks import AddressMark, Changed, read
from workflows.business.records import Customer
from workflows.notice.inputs import PublishInput
from workflows.notice.records import NoticeDelivery
from workflows.ports.host import SiteHost
from workflows.ports.returned_mails import ReturnedMail

HANAKO = "hanako@mihon.example"
ID = "1.1.0.abc@example.jp"


def test_a_report_on_delivery_says_whose_mail_came_back_and_why() -> None:
    found = read(bounce(ID))
    assert found.message_ids == (ID,)
    assert found.failures == (("hard_bounce", HANAKO, "5.1.1", "550 5.1.1 User unknown"),)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("5.1.1", "hard_bounce"),
        ("5.0.0", "hard_bounce"),
        ("5.2.1", "hard_bounce"),
        ("5.4.1", "hard_bounce"),
        ("4.4.7", "soft_bounce"),
        ("4.2.2", "soft_bounce"),
        ("5.2.2", "soft_bounce"),  # a mailbox that is full
        ("5.2.3", "soft_bounce"),  # a mail that is too large for it
        ("5.3.4", "soft_bounce"),
        ("5.6.1", "soft_bounce"),
        ("5.7.1", "soft_bounce"),  # refused by a rule about mails, as one against spam
        ("nonsense", "hard_bounce"),
    ],
)
def test_a_failure_that_says_something_of_the_address_is_hard_and_any_other_soft(status: str, kind: str) -> None:
    assert [one[0] for one in read(bounce(ID, status=status, words="smtp; no")).failures] == [kind]


def test_a_mail_that_is_only_late_or_arrived_is_none_that_came_back() -> None:
    for action in ("delayed", "delivered", "relayed", "expanded"):
        assert read(bounce(ID, status="4.4.1", action=action)) == address_marks.Read()


@pytest.mark.parametrize("kind", ["delivery-status", "global-delivery-status"])
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (HANAKO, HANAKO),
        ("花子@mihon.example", "花子@mihon.example"),
        (r"\x{82B1}\x{5B50}@mihon.example", "花子@mihon.example"),
    ],
)
def test_an_internationalized_report_says_it_as_well(kind: str, written: str, meant: str) -> None:
    """RFC 6533 §3."""
    raw = bounce(ID).replace(b"message/delivery-status", f"message/{kind}".encode())
    for field in ("Final-Recipient: rfc822; ", "Original-Recipient: rfc822;"):
        assert f"{field}{HANAKO}".encode() in raw
        raw = raw.replace(f"{field}{HANAKO}".encode(), f"{field.partition(':')[0]}: utf-8; {written}".encode())
    assert read(raw).failures == (("hard_bounce", meant, "5.1.1", "550 5.1.1 User unknown"),)


@pytest.mark.parametrize("sender", ["From: MAILER-DAEMON@mail.example", "From: <>", "X-Nobody: here"])
def test_forms_from_before_the_standard_are_read_too(sender: str) -> None:
    qmail = f"""\
{sender}
To: site@example.jp
Subject: failure notice

Hi. This is the qmail-send program at mail.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{HANAKO}>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <site@example.jp>
From: site@example.jp
Message-ID: <{ID}>

text
"""
    found = read(qmail.encode())
    assert (found.message_ids, found.failures) == ((ID,), (("hard_bounce", HANAKO, "", ""),))


def test_a_complaint_says_whose_it_is_and_may_leave_the_address_out() -> None:
    assert read(complaint(ID)).failures == (("complaint", HANAKO, "", "abuse (SomeGenerator/1.0)"),)
    assert read(complaint(ID)).message_ids == (ID,)
    assert read(complaint(ID, "")).failures == (("complaint", "", "", "abuse (SomeGenerator/1.0)"),)
    assert read(complaint(ID, kind="not-spam")) == address_marks.Read()
    assert read(complaint(ID).replace(b"From: feedback@provider.example\r\n", b"")).failures[0][0] == "complaint"


NESTED = b"Content-Type: multipart/mixed; boundary=x\n\n--x\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes(1000),
        b"From: a@b.example\nSubject: Re: hello\n\nOut of office until Monday.",
        NESTED * 3000,
        bounce(ID).replace(b"Final-Recipient: rfc822; ", b"Final-Recipient: \xff\xfe;;;"),
        bounce(ID)[:400],
    ],
    ids=["nothing", "zeros", "an answer", "nested", "broken", "cut off"],
)
def test_whatever_a_stranger_sends_is_read_without_an_error(raw: bytes) -> None:
    for _kind, recipient, _status, _words in read(raw).failures:
        assert recipient in ("", HANAKO)


def message_id_of(site: Site, mailer: MemoryMailer, email: str = HANAKO) -> str:
    """The Message-ID of a mail that the site has sent."""
    mailed(site, mailer, email)
    return mailer.sent[-1].message_id


def report(site: Site, raw: bytes) -> list[str]:
    return [verdict for _returned, verdict in site.returned_mails.report_read(read(raw), "operator:root")]


def test_a_bounce_of_a_mail_of_ours_marks_its_address(any_site: Site, mailer: MemoryMailer, clock: Clock) -> None:
    message_id = message_id_of(any_site, mailer)
    assert report(any_site, bounce(message_id, HANAKO.upper())) == ["marked"]
    mark = AddressMark.get()
    assert (mark.email, mark.kind, mark.status, mark.words) == (
        HANAKO,
        "hard_bounce",
        "5.1.1",
        "550 5.1.1 User unknown",
    )
    assert (mark.source, mark.times, mark.first_at, mark.last_at) == ("operator:root", 1, clock(), clock())
    assert message_id.startswith(f"{mark.mail}.")  # and its secret part is kept nowhere
    assert mark.mail.count(".") == 2
    assert report(any_site, bounce(message_id)) == ["known"]
    assert AddressMark.get().times == 1
    assert report(any_site, complaint(message_id, "")) == ["marked"]
    assert (AddressMark.get().kind, AddressMark.get().times) == ("complaint", 1)


def test_nothing_that_is_made_up_marks_anybody(any_site: Site, mailer: MemoryMailer) -> None:
    message_id = message_id_of(any_site, mailer)
    left, _at, right = message_id.partition("@")
    number, seq, position, nonce = left.split(".")
    changed = nonce[:-1] + ("0" if nonce[-1] != "0" else "1")
    for forged in (
        f"{number}.{seq}.{position}.{changed}@{right}",
        f"{number}.{seq}.{position}@{right}",
        f"{number}.{seq}.{int(position) + 1}.{nonce}@{right}",
        f"{int(number) + 1}.{seq}.{position}.{nonce}@{right}",
        f"{'9' * 30}.1.0.{nonce}@{right}",
        f"notice-0123456789ab.1.{nonce}@{right}",
        f"²²²{left}@{right}",
        "no-number@example.jp",
    ):
        assert report(any_site, bounce(forged)) == []
        returned = ReturnedMail("hard_bounce", forged, HANAKO)
        assert any_site.returned_mails.report(returned, "plugin:made") == "unknown_mail"
    assert AddressMark.select().count() == 0


def test_the_mail_of_one_recipient_came_back_from_that_one_wherever_it_was_forwarded(
    any_site: Site, mailer: MemoryMailer
) -> None:
    message_id = message_id_of(any_site, mailer)
    raw = bounce(message_id, "elsewhere@forwarded.example")
    assert report(any_site, raw) == ["marked"]
    assert AddressMark.get().email == HANAKO


def test_of_several_recipients_one_is_meant_or_none() -> None:
    marking = address_marks.ReturnedMails([lambda key: ("a@b.example", "c@d.example")], lambda: Clock()())
    for recipient in ("", "x@y.example"):
        returned = ReturnedMail("soft_bounce", "<1.1.0.x@b.example>", recipient)
        assert marking.report(returned, "plugin:made") == "other_recipient"


@pytest.fixture
def marked(any_site: Site, mailer: MemoryMailer) -> AddressMark:
    assert report(any_site, bounce(message_id_of(any_site, mailer))) == ["marked"]
    mark: AddressMark = AddressMark.get()
    return mark


def test_a_mark_that_was_cleared_begins_anew_with_the_next_mail_and_not_with_the_same(
    any_site: Site, mailer: MemoryMailer, clock: Clock, marked: AddressMark
) -> None:
    by = staff()
    with pytest.raises(Changed):
        address_marks.clear(marked.id, by, "too late", clock(), seen=clock() - timedelta(seconds=1))
    address_marks.clear(marked.id, by, "the mailbox is there again", clock(), seen=marked.last_at)
    assert address_marks.marks(10) == []
    with pytest.raises(Changed):
        address_marks.clear(marked.id, by, "once more", clock())
    assert address_marks.clear(marked.id + 1, by, "nobody", clock()) is None
    old = mailer.sent[-1].message_id
    assert report(any_site, bounce(old)) == ["known"]
    assert address_marks.marks(10) == []
    clock.forward(days=1)
    again = message_id_of(any_site, mailer, "taro@mihon.example")
    AddressMark.update(email="taro@mihon.example").execute()
    assert report(any_site, bounce(again, "taro@mihon.example", "4.2.2")) == ["marked"]
    (mark,) = address_marks.marks(10)
    assert (mark.kind, mark.times, mark.first_at, mark.cleared_at) == ("soft_bounce", 1, clock(), None)
    assert [(one.actor, one.kind, one.reason) for one in address_marks.acts_of([mark])] == [
        (str(by), "hard_bounce", "the mailbox is there again")
    ]


@pytest.mark.parametrize("kind", ["hard_bounce", "soft_bounce", "complaint"])
def test_notices_skip_an_address_that_is_marked_and_mails_of_procedures_go_on(
    any_site: Site, mailer: MemoryMailer, clock: Clock, kind: str
) -> None:
    of = customer(1, NEO, email=HANAKO)
    customer(2, NEO)
    by = staff()
    number = begin(any_site, by)
    any_site.engine.fire(number, "publish", by, PublishInput(notify=True))
    deliver_everything(any_site, clock)
    first = next(one for one in mailer.sent if one.to == (HANAKO,))
    returned = ReturnedMail(kind, f"<{first.message_id}>", HANAKO, "5.1.1", "User unknown")  # type: ignore[arg-type]
    assert any_site.returned_mails.report(returned, "plugin:made") == "marked"
    assert AddressMark.get().mail == "notice-0123456789ab.1"
    mailer.sent.clear()
    again = begin(any_site, by, draft(notice="ba9876543210"))
    any_site.engine.fire(again, "publish", by, PublishInput(notify=True))
    deliver_everything(any_site, clock)
    told = {one.to[0] for one in mailer.sent}
    assert told == ({"keiyaku2@customer.example"} if kind != "soft_bounce" else {HANAKO, "keiyaku2@customer.example"})
    rows = {row.error for row in NoticeDelivery.select().where(NoticeDelivery.recipient == f"customer:{of.id}")}
    assert rows == ({"", f"address_{kind}: 5.1.1 User unknown"} if kind != "soft_bounce" else {""})
    mailed(any_site, mailer)
    assert mailer.sent[-1].to == (HANAKO,)
    address_marks.clear(AddressMark.get().id, by, "the mailbox is there again", clock())
    assert address_marks.holds_notices(HANAKO) is None


def test_a_mark_of_an_address_that_nobody_has_goes_after_a_month(clock: Clock, marked: AddressMark) -> None:
    clock.forward(days=30)
    assert address_marks.purge(clock()) == 0
    clock.forward(seconds=1)
    assert address_marks.purge(clock()) == 1
    assert AddressMark.select().count() == 0


@pytest.mark.parametrize("whose", ["contractor", "account"])
def test_a_mark_stays_half_a_year_while_somebody_has_the_address(
    any_site: Site, clock: Clock, marked: AddressMark, whose: str
) -> None:
    if whose == "account":
        AddressMark.update(email=account(Customer.get(), email="taro@mihon.example").email).execute()
    else:
        Customer.update(contractor_email=HANAKO).execute()
    for _month in range(5):
        clock.forward(days=31)
        assert address_marks.purge(clock()) == 0
    clock.forward(days=31)
    assert address_marks.purge(clock()) == 1


def test_a_mark_goes_within_a_month_after_its_owner_has_another_address(
    any_site: Site, clock: Clock, marked: AddressMark
) -> None:
    Customer.update(contractor_email=HANAKO).execute()
    clock.forward(days=31)
    assert address_marks.purge(clock()) == 0
    Customer.update(contractor_email="other@mihon.example").execute()
    clock.forward(days=31)
    assert address_marks.purge(clock()) == 1


def test_a_host_that_is_not_bound_yet_says_so() -> None:
    with pytest.raises(PluginError, match=r"plugin made: host\.report_returned was used before the site was assembled"):
        SiteHost("made").report_returned(ReturnedMail("complaint", ID))


def test_a_report_says_its_kind_and_texts() -> None:
    with pytest.raises(ValueError, match="kind: expected one of soft_bounce, hard_bounce, complaint, not 'gone'"):
        ReturnedMail("gone", ID)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="recipient: expected a text, not NoneType"):
        ReturnedMail("soft_bounce", ID, None)  # type: ignore[arg-type]

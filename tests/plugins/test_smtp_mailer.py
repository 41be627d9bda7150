"""The SMTP mailer against real servers: every outcome, at every stage of the conversation."""

from __future__ import annotations

import smtplib
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.attempt import Secret
from engine.delivery import Accepted, Deferred, Failed, Message, Outcome
from engine.errors import ConfigurationError
from engine.mime import Mime, compose
from engine.plugins.site_facts import SiteFacts
from engine.testing import configured
from plugins.smtp_mailer.mailer import SmtpMailer
from plugins.smtp_mailer.server import parse
from tests.kit.smtp_server import Certificate, MailServer
from tests.kit.waiting import PATIENCE, with_more_time

NOON = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)
LINK = "https://support.example.jp/a/3k9x0q7m5v1z8c6b4n2l0j9h8"
SITE = SiteFacts(Path("var"), "https://support.example.jp", "support@example.jp", False, "Asia/Tokyo")
MESSAGE = Message(
    message_id="account.1.1@support.example.jp",
    sender="クラウド版サポートサイト <support@example.jp>",
    to=("taro@example.jp",),
    subject="【サポートサイト】アカウント作成のお申し込みを受け付けました",
    text=f"次のURLを開いてください。\n{LINK}\n.\n以上\n",
    html=f'<p>次のURLを開いてください。<a href="{LINK}">{LINK}</a></p>',
    cc=("hanako@example.jp",),
)


def mailer(url: str, *, timeout: float = 10.0, accept_timeout: float = 10.0, ca: Path | None = None) -> SmtpMailer:
    config = SmtpMailer.Config(Secret(url), timeout, accept_timeout, ca)
    return SmtpMailer(config, SITE, clock=lambda: NOON)


def handed(mailer: SmtpMailer, message: Message, key: str) -> Outcome:
    """The outcome for the recipient in To, of a mail that is sent to everybody."""
    return each(mailer, message)[message.to[0]]


def each(mailer: SmtpMailer, message: Message = MESSAGE, *recipients: str) -> Mapping[str, Outcome]:
    """The outcome for each recipient; by default, for everybody."""
    return mailer.send(message, "k", recipients or (*message.to, *message.cc))


TARO, HANAKO = "taro@example.jp", "hanako@example.jp"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.make(tmp_path_factory.mktemp("certificate"))


# What arrives


def test_a_message_id_stands_on_one_line_however_long(server: MailServer) -> None:
    long = f"notice-0123456789ab.12.{'0123456789abcdef' * 2}@support.a-company-with-a-long-name.example.co.jp"
    assert isinstance(handed(mailer(server.url), replace(MESSAGE, message_id=long), "k1"), Accepted)
    made = compose(replace(MESSAGE, message_id=long), NOON)
    assert isinstance(made, Mime)
    assert made.content.count(f"\r\nMessage-ID: <{long}>\r\n".encode()) == 1
    assert server.messages[0].mail["Message-ID"] == f"<{long}>"


def test_accepted_mail_arrives_whole(server: MailServer) -> None:
    assert handed(mailer(server.url), MESSAGE, "k1") == Accepted("2.0.0 OK: queued as 1", "250 2.0.0 OK: queued as 1")
    (got,) = server.messages
    assert got.sender == "support@example.jp"
    assert got.recipients == ("taro@example.jp", "hanako@example.jp")
    assert got.mail["From"] == "クラウド版サポートサイト <support@example.jp>"
    assert (got.mail["To"], got.mail["Cc"]) == ("taro@example.jp", "hanako@example.jp")
    assert got.mail["Subject"] == MESSAGE.subject
    assert got.mail["Date"].datetime == NOON
    assert got.mail["Message-ID"] == "<account.1.1@support.example.jp>"
    assert got.mail["Auto-Submitted"] == "auto-generated"
    assert got.mail.get_content_type() == "multipart/alternative"
    parts = list(got.mail.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert [part["Content-Transfer-Encoding"] for part in parts] == ["base64", "base64"]
    assert {part.get_content_charset() for part in parts} == {"utf-8"}
    assert got.part("plain") == MESSAGE.text
    assert got.part("html") == MESSAGE.html + "\n"
    assert got.content.isascii()
    assert max(len(line) for line in got.content.split(b"\r\n")) <= 998


def test_message_id_in_angle_brackets_is_not_wrapped_twice(server: MailServer) -> None:
    handed(mailer(server.url), replace(MESSAGE, message_id="<a@b.example>"), "k")
    assert server.messages[0].mail["Message-ID"] == "<a@b.example>"


def test_mail_without_html_is_plain(server: MailServer) -> None:
    handed(mailer(server.url), replace(MESSAGE, html=""), "k")
    assert server.messages[0].mail.get_content_type() == "text/plain"


def test_recipient_named_twice_gets_one_mail(server: MailServer) -> None:
    handed(mailer(server.url), replace(MESSAGE, cc=MESSAGE.to), "k")
    assert server.messages[0].recipients == ("taro@example.jp",)


def test_international_domain_is_sent_in_ascii(server: MailServer) -> None:
    handed(mailer(server.url), replace(MESSAGE, to=("taro@例え.jp",), cc=()), "k")
    assert server.messages[0].recipients == ("taro@xn--r8jz45g.jp",)


CARRIERS = ("a..b@docomo.ne.jp", "ab.@ezweb.ne.jp", ".ab@t.vodafone.ne.jp")


def test_a_carriers_address_arrives_in_quotes_in_envelope_and_headers(server: MailServer) -> None:
    sent = replace(MESSAGE, to=CARRIERS[:2], cc=CARRIERS[2:])
    assert isinstance(handed(mailer(server.url), sent, "k"), Accepted)
    (got,) = server.messages
    assert got.recipients == CARRIERS
    said = [path.removeprefix("TO:").removeprefix("to:") for path in server.paths[1:]]  # by the release of smtplib
    assert said == ['<"a..b"@docomo.ne.jp>', '<"ab."@ezweb.ne.jp>', '<".ab"@t.vodafone.ne.jp>']
    assert b'\r\nTo: "a..b"@docomo.ne.jp, "ab."@ezweb.ne.jp\r\n' in got.content
    assert b'\r\nCc: ".ab"@t.vodafone.ne.jp\r\n' in got.content
    assert [address.username for address in got.mail["To"].addresses] == ["a..b", "ab."]


def test_what_a_server_answers_to_a_carriers_address_is_understood(server: MailServer) -> None:
    sent = replace(MESSAGE, to=CARRIERS[:1], cc=CARRIERS[1:2])
    server.rcpt["ab.@ezweb.ne.jp"] = '550 5.1.1 <"ab."@ezweb.ne.jp>: no such user'
    answers = each(mailer(server.url), sent)
    assert isinstance(answers[CARRIERS[0]], Accepted)
    assert answers[CARRIERS[1]].reply == '550 5.1.1 <"ab."@ezweb.ne.jp>: no such user'
    server.rcpt["a..b@docomo.ne.jp"] = "450 4.2.1 try later"
    assert isinstance(handed(mailer(server.url), sent, "k2"), Deferred)
    server.rcpt["a..b@docomo.ne.jp"] = "553 5.1.3 bad address syntax"
    failed = handed(mailer(server.url), sent, "k3")
    assert isinstance(failed, Failed)
    assert failed.code == "553"


def test_non_ascii_local_part_goes_to_a_server_with_smtputf8(server: MailServer) -> None:
    assert isinstance(handed(mailer(server.url), replace(MESSAGE, to=("太郎@example.jp",)), "k"), Accepted)
    (got,) = server.messages
    assert got.recipients[0] == "太郎@example.jp"
    assert "SMTPUTF8" in got.mail_options
    assert "太郎@example.jp".encode() in got.content


def test_non_ascii_local_part_fails_without_smtputf8() -> None:
    with MailServer(smtputf8=False) as server:
        outcome = handed(mailer(server.url), replace(MESSAGE, to=("太郎@example.jp",), cc=()), "k")
    assert isinstance(outcome, Failed)
    assert outcome.code == "smtputf8"
    assert server.commands == []


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\nBcc: evil@example.com", "\x00", "\u2028", "\x85"])
@pytest.mark.parametrize("part", ["subject", "sender", "message_id"])
def test_line_break_in_a_header_fails_and_sends_nothing(server: MailServer, part: str, ending: str) -> None:
    broken = replace(MESSAGE, **{part: f"{getattr(MESSAGE, part)}{ending}"})  # type: ignore[arg-type]
    for outcome in each(mailer(server.url), broken).values():
        assert isinstance(outcome, Failed)
        assert outcome.code == "unsendable"
    assert server.commands == []


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\nBcc: evil@example.com", "\x00", "\u2028", "\x85"])
@pytest.mark.parametrize(("part", "other"), [("to", "cc"), ("cc", "to")])
def test_line_break_in_an_address_fails_for_it_alone_and_reaches_no_header(
    server: MailServer, part: str, other: str, ending: str
) -> None:
    broken = f"{getattr(MESSAGE, part)[0]}{ending}"
    outcomes = each(mailer(server.url), replace(MESSAGE, **{part: (broken,)}))  # type: ignore[arg-type]
    assert outcomes[broken] == Failed("unsendable", str(getattr(outcomes[broken], "reason", "")))
    (got,) = server.messages
    assert (got.recipients, got.mail["To"], got.mail["Cc"], got.mail["Bcc"]) == (
        getattr(MESSAGE, other),
        getattr(MESSAGE, other)[0],
        None,
        None,
    )


@pytest.mark.parametrize(
    "address",
    [
        "",
        "taro",
        "@example.jp",
        "taro@",
        "a@b@example.jp",
        "taro@exa mple.jp",
        "a,b@example.jp",
        "<taro@example.jp",
        "taro@example.jp> SIZE=1",
        "taro@example..jp",
        "taro@-example.jp",
        "ta\ud800ro@example.jp",
        "a@b.jp, c@d.jp",
    ],
)
def test_what_is_no_address_fails(address: str) -> None:
    outcome = compose(replace(MESSAGE, to=(address,)), NOON)
    assert isinstance(outcome, Failed)


def test_mail_without_recipient_fails() -> None:
    assert compose(replace(MESSAGE, to=()), NOON) == Failed("unsendable", "To: there is no recipient")


@pytest.mark.parametrize("message_id", ["", "no-host", "a b@example.jp", "a@b@c", "<a@b><c@d>", "太郎@example.jp"])
def test_what_is_no_message_id_fails(message_id: str) -> None:
    outcome = compose(replace(MESSAGE, message_id=message_id), NOON)
    assert outcome == Failed("unsendable", "Message-ID: expected id@host")


def test_text_that_utf8_cannot_encode_fails() -> None:
    assert isinstance(compose(replace(MESSAGE, text="\ud800"), NOON), Failed)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('"Support, Site" <s@example.jp>', "Support, Site"),
        (r'"say \"hi\"" <s@example.jp>', 'say "hi"'),
        ("サポート、窓口 <s@example.jp>", "サポート、窓口"),
        ("s@example.jp", ""),
        ("<s@example.jp>", ""),
        ("Office <s@[192.0.2.1]>", "Office"),
    ],
)
def test_display_names_survive(server: MailServer, written: str, name: str) -> None:
    handed(mailer(server.url), replace(MESSAGE, sender=written), "k")
    (address,) = server.messages[0].mail["From"].addresses
    assert address.display_name == name


HEADERS = "From To Cc Subject Date Message-ID Auto-Submitted X-Auto-Response-Suppress MIME-Version Content-Type"


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=150))
def test_no_subject_can_add_a_header_or_raise(subject: str) -> None:
    outcome = compose(replace(MESSAGE, subject=subject), NOON)
    if isinstance(outcome, Mime):
        head = outcome.content.split(b"\r\n\r\n")[0]
        names = [line.split(b":")[0].decode() for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
        assert sorted(names) == sorted(HEADERS.split())


@given(st.text(max_size=60))
def test_no_address_can_add_a_recipient_or_raise(address: str) -> None:
    outcome = compose(replace(MESSAGE, to=(address,), cc=()), NOON)
    assert isinstance(outcome, Failed) or len(outcome.recipients) == 1


# What the server answers


def test_lasting_refusal_of_the_sender_fails(server: MailServer) -> None:
    server.mail = "550 5.7.1 sender not welcome"
    outcome = handed(mailer(server.url), MESSAGE, "k")
    assert isinstance(outcome, Failed)
    assert outcome.code == "550"
    assert "MAIL FROM" in outcome.reason
    assert "sender not welcome" in outcome.reason


def test_passing_refusal_of_the_sender_is_deferred(server: MailServer) -> None:
    server.mail = "451 4.3.0 try later"
    outcome = handed(mailer(server.url), MESSAGE, "k")
    assert isinstance(outcome, Deferred)
    assert "4.3.0 try later" in outcome.reason


def test_missing_login_is_our_fault_and_deferred() -> None:
    with MailServer(users={"support": "secret"}) as server:
        outcome = handed(mailer(server.url), MESSAGE, "k")
    assert isinstance(outcome, Deferred)
    assert "530" in outcome.reason


def test_all_recipients_refused_for_good_fail_each_with_the_servers_words(server: MailServer) -> None:
    server.rcpt = {TARO: "550 5.1.1 no such user", HANAKO: "553 5.1.2 bad"}
    outcomes = each(mailer(server.url))
    assert {one: (outcome.code, outcome.reply) for one, outcome in outcomes.items() if isinstance(outcome, Failed)} == {
        TARO: ("550", "550 5.1.1 no such user"),
        HANAKO: ("553", "553 5.1.2 bad"),
    }
    assert "RCPT TO: 550 5.1.1 no such user" in str(outcomes[TARO])
    assert "DATA" not in server.commands


@pytest.mark.parametrize(("refused", "other"), [(TARO, HANAKO), (HANAKO, TARO)])
@pytest.mark.parametrize(("said", "kind"), [("550 5.1.1 no such user", Failed), ("452 4.2.2 full", Deferred)])
def test_who_is_refused_holds_the_mail_back_from_nobody(
    server: MailServer, refused: str, other: str, said: str, kind: type[Outcome]
) -> None:
    server.rcpt = {refused: said}
    outcomes = each(mailer(server.url))
    assert isinstance(outcomes[refused], kind)
    assert outcomes[refused].reply == said
    assert outcomes[other] == Accepted("2.0.0 OK: queued as 1", "250 2.0.0 OK: queued as 1")
    assert [one.recipients for one in server.messages] == [(other,)]
    assert (server.messages[0].mail["To"], server.messages[0].mail["Cc"]) == (TARO, HANAKO)


def test_a_later_try_goes_to_those_alone_who_wait_and_its_headers_name_everybody(server: MailServer) -> None:
    for recipient in (TARO, HANAKO):
        assert set(each(mailer(server.url), MESSAGE, recipient)) == {recipient}
    assert [one.recipients for one in server.messages] == [(TARO,), (HANAKO,)]
    assert {(one.mail["To"], one.mail["Cc"]) for one in server.messages} == {(TARO, HANAKO)}
    assert {one.mail["Message-ID"] for one in server.messages} == {"<account.1.1@support.example.jp>"}


def test_a_connection_lost_after_a_refusal_leaves_the_refusal_and_defers_the_others(server: MailServer) -> None:
    server.rcpt, server.drop = {TARO: "550 5.1.1 no such user"}, "after RCPT"
    outcomes = each(mailer(server.url))
    assert isinstance(outcomes[TARO], Failed)
    assert isinstance(outcomes[HANAKO], Deferred)


@pytest.mark.parametrize(("to", "cc", "fails", "gets"), [("a b", HANAKO, "a b", HANAKO), (TARO, "a b", "a b", TARO)])
def test_an_address_that_cannot_be_written_costs_the_other_nothing(
    server: MailServer, to: str, cc: str, fails: str, gets: str
) -> None:
    outcomes = each(mailer(server.url), replace(MESSAGE, to=(to,), cc=(cc,)))
    assert isinstance(outcomes[fails], Failed)
    assert isinstance(outcomes[gets], Accepted)
    assert [one.recipients for one in server.messages] == [(gets,)]


@pytest.mark.parametrize("cc", ["太郎@example.jp", "hanako@example.jp"])
def test_an_international_address_fails_alone_without_smtputf8(cc: str) -> None:
    message = replace(MESSAGE, cc=(cc,))
    with MailServer(smtputf8=False) as server:
        outcomes = each(mailer(server.url), message)
        assert isinstance(outcomes[TARO], Accepted)
        assert isinstance(outcomes[cc], Accepted if cc.isascii() else Failed)
        assert isinstance(each(mailer(server.url), message, TARO)[TARO], Accepted)


@pytest.mark.parametrize("stage", ["data", "accept"])
def test_refusals_of_the_content(server: MailServer, stage: str) -> None:
    setattr(server, stage, "451 4.3.2 disk full")
    assert isinstance(handed(mailer(server.url), MESSAGE, "k"), Deferred)
    setattr(server, stage, "554 5.6.0 not wanted")
    outcome = handed(mailer(server.url), MESSAGE, "k")
    assert isinstance(outcome, Failed)
    assert outcome.code == "554"
    assert "5.6.0 not wanted" in outcome.reason
    setattr(server, stage, "")
    assert isinstance(handed(mailer(server.url), MESSAGE, "k"), Accepted)


@pytest.mark.parametrize("quoted", [f"<{LINK}>", LINK.upper(), "次のURLを開いてください。"])
@pytest.mark.parametrize("code", ["250", "451", "554"])
def test_quoted_body_is_cut_out_of_the_servers_words(server: MailServer, code: str, quoted: str) -> None:
    server.accept = f"{code} 5.7.1 spam: {quoted} is bad"
    outcome = handed(mailer(server.url), MESSAGE, "k")
    assert "spam:" in str(outcome)
    assert "is bad" in str(outcome)
    assert LINK[-20:] not in str(outcome).lower()
    assert "開いてください" not in str(outcome)


def test_long_answers_are_cut(server: MailServer) -> None:
    server.accept = "554 " + "x" * 450
    outcome = handed(mailer(server.url), MESSAGE, "k")
    assert isinstance(outcome, Failed)
    assert outcome.reason.count("x") == 300


# What goes wrong on the way


def test_connection_lost_before_the_banner_is_deferred(server: MailServer) -> None:
    server.drop = "before banner"
    assert isinstance(handed(mailer(server.url), MESSAGE, "k"), Deferred)


def test_connection_lost_after_rcpt_is_deferred(server: MailServer) -> None:
    server.drop = "after RCPT"
    assert isinstance(handed(mailer(server.url), MESSAGE, "k"), Deferred)


def test_connection_lost_before_250_is_deferred_and_repeats_with_the_same_message_id(server: MailServer) -> None:
    server.drop = "before 250"
    outcome = handed(mailer(server.url), MESSAGE, "k")
    assert isinstance(outcome, Deferred)
    assert "may arrive twice" in outcome.reason
    server.drop = ""
    assert isinstance(handed(mailer(server.url), MESSAGE, "k"), Accepted)
    assert len({got.mail["Message-ID"] for got in server.offered}) == 1
    assert len(server.offered) == 2


def test_connection_lost_after_250_is_accepted(server: MailServer) -> None:
    server.drop = "after 250"
    assert isinstance(handed(mailer(server.url), MESSAGE, "k"), Accepted)


@pytest.mark.parametrize("banner", ["554 5.3.2 go away", "421 4.3.2 closing", "not SMTP at all"])
def test_unwelcoming_server_is_deferred(server: MailServer, banner: str) -> None:
    server.banner = banner
    assert isinstance(handed(mailer(server.url), MESSAGE, "k"), Deferred)


def test_silent_server_is_deferred_in_time(server: MailServer) -> None:
    server.stall = "banner"
    outcome = handed(mailer(server.url, timeout=0.2), MESSAGE, "k")
    assert isinstance(outcome, Deferred)
    assert "no answer in time" in outcome.reason


def test_server_that_never_accepts_is_deferred_in_time(server: MailServer) -> None:
    server.stall = "end of DATA"
    outcome = handed(mailer(server.url, timeout=3600, accept_timeout=0.2), MESSAGE, "k")
    assert isinstance(outcome, Deferred)
    assert "no answer in time" in outcome.reason
    assert "may arrive twice" in outcome.reason


def test_server_that_falls_silent_after_its_banner_is_deferred_in_time(server: MailServer) -> None:
    server.banner, server.stall = "220 mail.example.jp", "after banner"

    def sent(seconds: float) -> str:
        outcome = handed(mailer(server.url, timeout=seconds), MESSAGE, "k")
        assert isinstance(outcome, Deferred)
        return outcome.reason

    assert "EHLO: no answer in time" in with_more_time(sent, lambda reason: "EHLO" in reason)


def test_refused_connection_is_deferred() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    outcome = handed(mailer(f"smtp://127.0.0.1:{port}"), MESSAGE, "k")
    assert isinstance(outcome, Deferred)
    assert f"127.0.0.1:{port}: connecting: ConnectionRefusedError" in outcome.reason


def test_unknown_host_is_deferred() -> None:
    outcome = handed(mailer("smtp://mail.invalid"), MESSAGE, "k")
    assert isinstance(outcome, Deferred)
    assert "mail.invalid:25" in outcome.reason


# TLS and log-in


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_mail_goes_through_tls_with_log_in(certificate: Certificate, tls: str) -> None:
    with MailServer(tls=tls, certificate=certificate, users={"support@x": "p/s:%@ "}) as server:  # type: ignore[arg-type]
        url = server.url.replace("://", "://support%40x:p%2Fs%3A%25%40%20@")
        outcome = handed(mailer(url, ca=certificate.certificate), MESSAGE, "k")
    assert isinstance(outcome, Accepted), outcome
    assert server.messages[0].tls
    assert server.messages[0].user == "support@x"


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_untrusted_certificate_is_deferred_before_the_log_in(certificate: Certificate, tls: str) -> None:
    with MailServer(tls=tls, certificate=certificate, users={"u": "p"}) as server:  # type: ignore[arg-type]
        outcome = handed(mailer(server.url.replace("://", "://u:p@")), MESSAGE, "k")
    assert isinstance(outcome, Deferred)
    assert "certificate is not valid" in outcome.reason
    assert server.commands == []


def test_certificate_for_another_host_is_deferred(tmp_path: Path) -> None:
    other = Certificate.make(tmp_path, "DNS:mail.example.jp")
    with MailServer(tls="starttls", certificate=other) as server:
        outcome = handed(mailer(server.url, ca=other.certificate), MESSAGE, "k")
    assert isinstance(outcome, Deferred)
    assert "certificate is not valid" in outcome.reason
    assert server.offered == []


def test_missing_starttls_is_deferred_and_sends_no_password(server: MailServer) -> None:
    outcome = handed(mailer(server.url.replace("smtp://", "smtp+starttls://u:p@")), MESSAGE, "k")
    assert isinstance(outcome, Deferred)
    assert "STARTTLS" in outcome.reason
    assert server.commands == []


def test_plain_server_behind_smtps_is_deferred(server: MailServer) -> None:
    assert isinstance(handed(mailer(server.url.replace("smtp://", "smtps://")), MESSAGE, "k"), Deferred)


def test_wrong_password_is_deferred_and_not_shown(certificate: Certificate) -> None:
    with MailServer(tls="starttls", certificate=certificate, users={"u": "right"}) as server:
        url = server.url.replace("://", "://u:wr0ng-pa55@")
        outcome = handed(mailer(url, ca=certificate.certificate), MESSAGE, "k")
    assert isinstance(outcome, Deferred)
    assert "535" in outcome.reason
    assert "check user and password" in outcome.reason
    assert "wr0ng-pa55" not in str(outcome)


def test_local_server_may_get_a_password_without_tls() -> None:
    with MailServer(users={"u": "p"}) as server:
        outcome = handed(mailer(server.url.replace("://", "://u:p@")), MESSAGE, "k")
    assert isinstance(outcome, Accepted)
    assert server.messages[0].user == "u"


# Configuration


@pytest.mark.parametrize(
    ("url", "host", "port", "security", "user", "password"),
    [
        ("smtp://mail.example.jp", "mail.example.jp", 25, "none", "", ""),
        ("smtp://mail.example.jp:2525/", "mail.example.jp", 2525, "none", "", ""),
        ("smtp+starttls://u:p@mail.example.jp", "mail.example.jp", 587, "starttls", "u", "p"),
        ("smtps://u%40x:p%3Aq%2F@mail.example.jp", "mail.example.jp", 465, "tls", "u@x", "p:q/"),
        ("smtps://[2001:db8::1]:4650", "2001:db8::1", 4650, "tls", "", ""),
        ("smtp://u:p@[::1]", "::1", 25, "none", "u", "p"),
        ("smtp://u:p@localhost", "localhost", 25, "none", "u", "p"),
    ],
)
def test_url_is_read(url: str, host: str, port: int, security: str, user: str, password: str) -> None:
    server = parse(url)
    assert (server.host, server.port, server.security) == (host, port, security)
    assert (server.user, str(server.password)) == (user, password)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("smtp://u:s3cr3t@mail.example.jp", "never sent without TLS"),
        ("smtp://u:s3cr3t@127.0.0.1.example.jp", "never sent without TLS"),
        ("http://mail.example.jp", "expected smtp://"),
        ("mail.example.jp:25", "expected smtp://"),
        ("smtp://", "expected smtp://"),
        ("smtp://mail.example.jp:0", "expected smtp://"),
        ("smtp://mail.example.jp:99999", "port"),
        ("smtp://[::1", "host"),
        ("smtps://u@mail.example.jp", "given together"),
        ("smtps://:s3cr3t@mail.example.jp", "given together"),
        ("smtps://u:s3cr3t/x@mail.example.jp", "wrong"),
        ("smtps://u:s3cr3t#x@mail.example.jp", "wrong"),
        ("smtps://mail.example.jp/s3cr3t", "nothing may follow the port"),
        ("smtps://u:s3cr3t%ff@mail.example.jp", "percent-encoding"),
        ("smtps://u:s3cr3t%0A@mail.example.jp", "printable ASCII"),
        ("smtps://u:s3cr3t @mail.example.jp", "space"),
    ],
)
def test_wrong_url_is_refused_without_quoting_it(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        parse(url)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__  # a traceback would quote it


def test_neither_config_nor_server_shows_the_password() -> None:
    config = SmtpMailer.Config(Secret("smtps://u:s3cr3t@mail.example.jp"))
    assert "s3cr3t" not in repr(config)
    server = parse("smtps://u:s3cr3t@mail.example.jp")
    assert "s3cr3t" not in f"{server!r} {server}"
    assert str(server) == "mail.example.jp:465"
    assert str(parse("smtp://[::1]")) == "[::1]:25"


def test_without_url_there_is_no_mailer() -> None:
    plugin = SmtpMailer(SmtpMailer.Config(), SITE)
    assert plugin.register_mailers() == {}
    assert isinstance(handed(plugin, MESSAGE, "k"), Deferred)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_timeouts_must_be_above_zero(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="timeout"):
        configured(SmtpMailer, {"timeout": seconds}, SITE)
    with pytest.raises(ConfigurationError, match="accept_timeout"):
        configured(SmtpMailer, {"accept_timeout": seconds}, SITE)


def test_unreadable_ca_file_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    for path in (tmp_path / "missing.pem", empty):
        with pytest.raises(ConfigurationError, match=r"ca_file: .*\.pem"):
            SmtpMailer(SmtpMailer.Config(ca_file=path), SITE)


def test_impossible_host_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"hostname: 'a\.\.b' is not a host name"):
        SmtpMailer(SmtpMailer.Config(hostname="a..b"), SITE)


@pytest.mark.parametrize(
    ("base_url", "hostname", "said"),
    [
        ("https://support.example.jp", None, "support.example.jp"),
        ("http://127.0.0.1:8000", None, "[127.0.0.1]"),
        ("http://[::1]:8000", None, "[IPv6:::1]"),
        ("https://support.example.jp", "out.example.jp", "out.example.jp"),
    ],
)
def test_server_is_greeted_with_a_proper_name(base_url: str, hostname: str | None, said: str) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _address = listening.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 ready\r\n")
                heard.append(lines.readline())

        thread = threading.Thread(target=answer)
        thread.start()
        config = SmtpMailer.Config(Secret(f"smtp://127.0.0.1:{listening.getsockname()[1]}"), hostname=hostname)
        handed(SmtpMailer(config, replace(SITE, base_url=base_url)), MESSAGE, "k")
        thread.join(PATIENCE)
    assert heard == [f"ehlo {said}\r\n".encode()]


def test_many_threads_share_one_mailer(server: MailServer) -> None:
    shared = mailer(server.url)
    messages = [replace(MESSAGE, message_id=f"{n}@example.jp", text=f"mail {n}\n") for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda message: handed(shared, message, message.message_id), messages))
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert {(got.mail["Message-ID"], got.part("plain")) for got in server.messages} == {
        (f"<{n}@example.jp>", f"mail {n}\n") for n in range(24)
    }


def test_server_is_free_for_others_after_each_fault(server: MailServer) -> None:
    server.drop = "before 250"
    handed(mailer(server.url), MESSAGE, "k")
    with smtplib.SMTP(server.host, server.port, local_hostname="test", timeout=PATIENCE) as session:
        assert session.noop()[0] == 250

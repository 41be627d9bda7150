"""One connection for each mail: the mail server's replies become one of three outcomes for each recipient.

The rule behind every choice here (I5): a mail is `Accepted` when the server has answered the final dot with a 250, and
only then; it is `Failed` when the server refuses this mail or this recipient for good; everything else, and any fault
of our own settings, is `Deferred`, so that correcting it loses no mail. A connection that is lost after the final dot
is `Deferred` too: the mail may then arrive twice, with the same Message-ID.

Whom the server refuses in answer to RCPT TO takes the mail from nobody else: the others get it at once.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from time import monotonic
from typing import Annotated
from urllib.parse import urlsplit

from engine.configuration import Value, Wrong
from engine.configuration.kinds import checked_secret, clean, file, seconds
from engine.definition import Secret
from engine.delivery import Accepted, Deferred, Failed, Message, Outcome, RecipientMailer, only_to
from engine.errors import ConfigurationError
from engine.hookspecs import hookimpl
from engine.mime import Mime, compose, envelope_address
from engine.plugins import SiteFacts
from plugins.smtp_mailer.server import FORMS, Server, parsable, parse

NAME = "smtp_mailer"

# Replies about our log-in, not about the mail (RFC 4954 §6).
_ABOUT_OUR_LOGIN = frozenset({530, 534, 535, 538})
_QUOTE_LIMIT = 300  # characters of the server's words that are kept
_OURS = 12  # as many characters in a row of ours in the server's words are a quotation
_FAREWELL = 2.0  # seconds to wait for the answer to QUIT, which changes nothing


def _authorities(given: object) -> Path:
    path = file().parse(given)
    try:
        _tls(path)
    except ConfigurationError as error:
        raise Wrong(str(error.__cause__)) from error
    return path


def _host_name(given: object) -> str:
    name = clean(given, 253)
    try:
        if not _NAME.fullmatch(_own_name(name)):
            raise Wrong
    except ConfigurationError as error:
        raise Wrong from error
    return name


_NAME = re.compile(r"[A-Za-z0-9._-]+|\[[A-Za-z0-9.:]+\]")
_AUTHORITIES = Value("a PEM file with certificates of authorities", _authorities)
_HOSTNAME = Value("the name of a host", _host_name)


class SmtpMailer:
    """The plugin and its mailer. Thread-safe: each mail has its own connection."""

    mailer_version = 2

    @dataclass(frozen=True)
    class Config:
        """`url`: `smtp://host:port`, `smtp+starttls://user:secret@host:port` or `smtps://user:secret@host:port`.

        `timeout`: seconds for everything up to the mail's last byte. Looking the host's name up is not counted, and
        a server that is slow both to connect and to greet may take it twice.
        `accept_timeout`: seconds that the server then has to accept it; too short a time sends mails twice, and
        RFC 5321 §4.5.3.2.6 knows servers that need minutes.
        `ca_file`: PEM file with the only authorities to trust, instead of the system's.
        `hostname`: how we introduce ourselves (EHLO); the host of the site's base URL by default.
        """

        url: Annotated[Secret | None, checked_secret(FORMS, parsable)] = None
        timeout: Annotated[float, seconds(600)] = 20.0
        accept_timeout: Annotated[float, seconds(3600)] = 60.0
        ca_file: Annotated[Path | None, _AUTHORITIES] = None
        hostname: Annotated[str | None, _HOSTNAME] = None

    def __init__(
        self, config: Config, site_facts: SiteFacts, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._config = config
        # Connecting and greeting may each take `timeout`; what was asked before the answer to the final dot another.
        self.longest = timedelta(seconds=3 * config.timeout + config.accept_timeout)
        self._clock = clock
        self._server = parse(config.url) if config.url is not None else None
        secured = self._server is not None and self._server.security != "none"
        # Reading the system's authorities takes longer than everything else here.
        self._tls = _tls(config.ca_file) if secured or config.ca_file is not None else None
        self._hostname = _own_name(config.hostname or urlsplit(site_facts.base_url).hostname or "")

    @hookimpl
    def register_mailers(self) -> Mapping[str, RecipientMailer]:
        """This mailer, where a mail server is configured; otherwise none."""
        return {} if self._server is None else {NAME: self}

    def send(self, message: Message, key: str, recipients: Sequence[str]) -> Mapping[str, Outcome]:
        """Hand one mail over to `recipients`. `key` is not needed, because the Message-ID identifies a repeat.

        Blocks for as long as `timeout` and `accept_timeout` allow together.

        - A recipient refused for now (4xx) is `Deferred`, one refused for good (5xx) `Failed`; the others get the mail.
        - What the server answers to MAIL FROM, to DATA or to the mail itself is the outcome of all who were left.
        - An address that cannot be written into a mail is `Failed`, and left out of the headers.
        """
        if self._server is None:
            return dict.fromkeys(recipients, Deferred("no mail server is configured: plugins.smtp_mailer.url"))
        mailing = _Mailing(message, recipients, self._clock())
        if mailing.waiting:
            conversation = _Conversation(self._server, self._config, self._tls, self._hostname)
            try:
                conversation.hand_over(mailing)
            except OSError as error:  # of which smtplib's own errors are a kind
                mailing.settle_all(Deferred(f"{self._server}: {conversation.stage}: {_why(error)}"))
            finally:
                conversation.close()
        return mailing.outcomes


class _Mailing:
    """One mail on its way: who still waits for an answer (`waiting`, with the address for RCPT TO), and the outcomes of
    the others. It can be sent as `mime` while anybody waits."""

    def __init__(self, message: Message, recipients: Sequence[str], now: datetime) -> None:
        self.message = message
        self.waiting = {one: envelope_address(one) for one in recipients}
        self.outcomes: dict[str, Outcome] = {}
        self._now = now
        made = compose(message, now)
        if isinstance(made, Failed):
            self.leave_out([one for one in (*message.to, *message.cc) if not envelope_address(one)], made)
        else:
            self.mime = made

    def leave_out(self, those: Sequence[str], why: Failed) -> None:
        """Compose the mail without those who cannot be written to, for the reason `why`. If it cannot be sent then
        either, nobody gets it."""
        others = [one for one in (*self.message.to, *self.message.cc) if one not in those]
        rest = only_to(self.message, others)
        made = compose(rest, self._now) if those and others else why
        if isinstance(made, Failed):
            self.settle_all(made)
            return
        self.message, self.mime = rest, made
        for one in those:
            self.settle(envelope_address(one), why)

    def settle(self, address: str, outcome: Outcome) -> None:
        """Note the outcome of whoever waits at an address."""
        for one in [one for one, its in self.waiting.items() if its == address]:
            self.outcomes[one] = outcome
            del self.waiting[one]

    def settle_all(self, outcome: Outcome) -> None:
        """Note the outcome of all who wait."""
        for address in list(self.waiting.values()):
            self.settle(address, outcome)


class _Conversation:
    """One connection to the server, from the greeting to QUIT. `stage` names the step that was reached."""

    def __init__(self, server: Server, config: SmtpMailer.Config, tls: ssl.SSLContext | None, hostname: str) -> None:
        self.stage = "connecting"
        self._server = server
        self._config = config
        self._tls = tls
        self._hostname = hostname
        self._session: smtplib.SMTP | None = None
        self._until = monotonic() + config.timeout

    def hand_over(self, mailing: _Mailing) -> None:
        """Hand the mail over, and settle it for everybody who waits. Raises OSError where the connection, TLS or the
        log-in does not work."""
        session = self._open()
        if mailing.mime.utf8 and not session.has_extn("smtputf8"):
            self._do_without_smtputf8(mailing)
        if mailing.waiting:
            self._begin("MAIL FROM")
            code, words = session.mail(mailing.mime.sender, self._options(session, mailing.mime))
            if code != 250:
                mailing.settle_all(self._refusal(code, words))
        for address in dict.fromkeys(mailing.waiting.values()):
            self._begin("RCPT TO")
            code, words = session.rcpt(address)
            if code not in (250, 251, 252):
                mailing.settle(address, self._refusal(code, words))
        if mailing.waiting:
            mailing.settle_all(self._content(session, mailing))

    def _do_without_smtputf8(self, mailing: _Mailing) -> None:
        reason = f"{self._server} cannot take an address with other letters than ASCII before the @ (RFC 6531)"
        message = mailing.message
        those = [one for one in (*message.to, *message.cc) if not envelope_address(one).isascii()]
        mailing.leave_out(those, Failed("smtputf8", reason))
        if mailing.waiting and mailing.mime.utf8:  # the sender's own address
            mailing.settle_all(Failed("smtputf8", reason))

    def _content(self, session: smtplib.SMTP, mailing: _Mailing) -> Outcome:
        """Hand the mail itself over. Returns the outcome of all whom the server has taken as recipients."""
        self._begin("DATA")
        code, words = session.docmd("DATA")
        if code != 354:
            return self._refusal(code, words)
        # A dot at the beginning of a line is doubled, a dot alone ends the mail (RFC 5321 §4.5.2).
        session.send(re.sub(rb"(?m)^\.", b"..", mailing.mime.content) + b".\r\n")
        self.stage = "waiting for the mail to be accepted (it may have been, and may arrive twice)"
        self._sock().settimeout(self._config.accept_timeout)
        code, words = session.getreply()
        self.stage = "end of DATA"
        ours = f"{mailing.message.text}\0{mailing.message.html}"
        if code != 250:
            return self._refusal(code, words, ours)
        said = _words(words, ours)
        return Accepted(said, f"{code} {said}")

    def close(self) -> None:
        """Send QUIT and close; the server's answer no longer matters."""
        session, self._session = self._session, None
        if session is None:
            return
        with suppress(OSError):
            if session.sock is not None:
                session.sock.settimeout(_FAREWELL)
                session.quit()
        session.close()

    def _open(self) -> smtplib.SMTP:
        host, port = self._server.host, self._server.port
        session: smtplib.SMTP
        if self._server.security == "tls":
            session = smtplib.SMTP_SSL(
                host, port, local_hostname=self._hostname, timeout=self._config.timeout, context=self._tls
            )
        else:
            session = smtplib.SMTP(host, port, local_hostname=self._hostname, timeout=self._config.timeout)
        self._session = session
        self._begin("EHLO")
        session.ehlo_or_helo_if_needed()
        if self._server.security == "starttls":
            self._begin("STARTTLS")
            session.starttls(context=self._tls)
            self._begin("EHLO")
            session.ehlo_or_helo_if_needed()
        if self._server.user:
            self._begin("AUTH (check user and password in plugins.smtp_mailer.url)")
            session.login(self._server.user, self._server.password)
        return session

    def _options(self, session: smtplib.SMTP, mime: Mime) -> list[str]:
        options = [f"SIZE={len(mime.content)}"] if session.has_extn("size") else []
        if mime.utf8:
            options += ["SMTPUTF8", *(["BODY=8BITMIME"] if session.has_extn("8bitmime") else [])]
        return options

    def _begin(self, stage: str) -> None:
        """Begin a step with what is left of the time. Raises TimeoutError where nothing is left."""
        self.stage = stage
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock().settimeout(left)

    def _sock(self) -> socket.socket:
        sock = self._session.sock if self._session is not None else None
        if sock is None:
            raise smtplib.SMTPServerDisconnected("the connection was closed")
        return sock

    def _refusal(self, code: int, words: bytes, ours: str = "") -> Outcome:
        reply = f"{code} {_words(words, ours)}"
        reason = f"{self._server}: {self.stage}: {reply}"
        if 500 <= code < 600 and code not in _ABOUT_OUR_LOGIN:
            return Failed(str(code), reason, reply)
        return Deferred(reason, reply=reply)


def _words(said: bytes | str, ours: str = "") -> str:
    """The server's reply on one line, without anything that it quotes from `ours`: that may hold a live link (I11)."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    text = _one_line(text[: 10 * _QUOTE_LIMIT])
    ours = _one_line(ours).lower()  # some filters quote a link in small letters
    kept: list[str] = []
    at = 0
    while at < len(text):
        end = at + _OURS
        if end <= len(text) and text[at:end].lower() in ours:
            while end < len(text) and text[at : end + 1].lower() in ours:
                end += 1
            kept.append("…")
            at = end
        else:
            kept.append(text[at])
            at += 1
    return "".join(kept)[:_QUOTE_LIMIT]


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _why(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        words = error.smtp_error
        return f"{error.smtp_code} {_words(words)}"
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not valid: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return f"the host's name was not found: {error.strerror}"
    return f"{type(error).__name__}: {_words(str(error))}"


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigurationError(f"ca_file: {ca_file} cannot be read as PEM: {error}") from error


def _own_name(host: str) -> str:
    """Our name for EHLO (RFC 5321 §4.1.3). Without it smtplib would ask DNS for our name at every mail."""
    try:
        address = ip_address(host)
    except ValueError:
        pass
    else:
        return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"
    try:
        return host.encode("idna").decode("ascii") or "localhost"
    except UnicodeError:
        raise ConfigurationError(f"hostname: {host!r} is not a host name") from None

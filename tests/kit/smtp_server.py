"""A real mail server for tests: aiosmtpd on 127.0.0.1 at a free port, which refuses, drops and stalls as it is told.

    with MailServer() as server:
        server.rcpt["taro@example.jp"] = "550 5.1.1 no such user"
        ...
        assert server.messages[0].recipients == (...)

Answers and faults are plain attributes that may be changed while it runs; they hold for connections from then on.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from engine.workers.ending import all_ended
from tests.kit.waiting import PATIENCE

Drop = Literal["", "before banner", "after RCPT", "before 250", "after 250"]
Stall = Literal["", "banner", "after banner", "end of DATA"]


@dataclass(frozen=True)
class Received:
    """A mail as the server took it: the envelope and the bytes."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    mail_options: tuple[str, ...] = ()
    tls: bool = False
    user: str = ""

    @cached_property
    def mail(self) -> EmailMessage:
        """The bytes as the email package reads them."""
        parsed = message_from_bytes(self.content, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def part(self, kind: str) -> str:
        """Text of the first part of type `kind` ("plain" or "html"), with \\n line ends."""
        part = self.mail.get_body((kind,))
        assert part is not None, f"no {kind} part"
        return str(part.get_content()).replace("\r\n", "\n")


@dataclass
class MailServer:
    """Context manager. `messages` holds what was taken with 250, `offered` every mail that came with its final dot.

    `mail`, `data` and `accept` are the answers to MAIL FROM, DATA and the final dot, `rcpt` those to RCPT TO by
    address; "" (or none) accepts. `banner` is all that the server says. `tls` needs `certificate`; `users`, passwords
    by name, makes AUTH necessary.

    `paths` are the arguments of MAIL and RCPT as they came: aiosmtpd takes the quotes of a local part off, in what a
    mail is `Received` with and in the addresses of `rcpt`.

    `at_dot` is called with each mail when its final dot has come and nothing was answered yet; False loses the mail
    with its connection. `after_250` is called when the 250 has left. Both run in the server's thread, which does
    nothing else meanwhile. `reserve` takes a port at which nobody listens before the server is entered.
    """

    tls: Literal["", "starttls", "implicit"] = ""
    certificate: Certificate | None = None
    users: Mapping[str, str] = field(default_factory=dict)
    smtputf8: bool = True
    mail: str = ""
    rcpt: dict[str, str] = field(default_factory=dict)
    data: str = ""
    accept: str = ""
    banner: str = ""
    drop: Drop = ""
    stall: Stall = ""
    messages: list[Received] = field(default_factory=list)
    offered: list[Received] = field(default_factory=list)
    at_dot: Callable[[Received], bool] | None = None
    after_250: Callable[[], None] | None = None
    commands: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    host: str = "127.0.0.1"
    port: int = 0
    _bound: socket.socket | None = field(default=None, repr=False)

    def reserve(self) -> None:
        """Take a free port, so that `url` is known; until the server is entered, connections are refused."""
        self._bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._bound.bind((self.host, 0))
        self.port = self._bound.getsockname()[1]

    def __enter__(self) -> Self:
        if self._bound is None:
            self.reserve()
        assert self._bound is not None
        listening, self._bound = self._bound, None
        listening.listen(128)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mail server", daemon=True)
        self._thread.start()
        context = self.certificate.server_context() if self.tls == "implicit" and self.certificate else None
        starting = self._loop.create_server(self._connection, sock=listening, ssl=context)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    @property
    def url(self) -> str:
        """What a mailer is given; without credentials."""
        scheme = {"": "smtp", "starttls": "smtp+starttls", "implicit": "smtps"}[self.tls]
        return f"{scheme}://{self.host}:{self.port}"

    async def _stop(self) -> None:
        self._server.close()
        await all_ended({task: task.cancel for task in asyncio.all_tasks() if task is not asyncio.current_task()})

    def _connection(self) -> asyncio.BaseProtocol:
        if self.stall in ("banner", "after banner"):
            return _Rude(self.banner, close=False)
        if self.banner or self.drop == "before banner":
            return _Rude(self.banner, close=True)
        return _Connection(self)


class _Rude(asyncio.Protocol):
    """A server that does not get as far as speaking SMTP."""

    def __init__(self, banner: str, *, close: bool) -> None:
        self._banner = banner
        self._close = close

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if self._banner:
            transport.write(self._banner.encode() + b"\r\n")
        if self._close:
            transport.close()


class _Connection(SMTP):
    def __init__(self, server: MailServer) -> None:
        self._told = server
        starttls = server.tls == "starttls" and server.certificate is not None
        super().__init__(
            _Handler(server),
            hostname="mail.example.jp",
            enable_SMTPUTF8=server.smtputf8,
            tls_context=server.certificate.server_context() if starttls and server.certificate else None,
            authenticator=self._check if server.users else None,
            auth_require_tls=starttls,
            loop=asyncio.get_running_loop(),
        )

    def _check(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        user = data.login.decode()
        good = self._told.users.get(user) == data.password.decode()
        return AuthResult(success=good, handled=False, auth_data=user if good else None)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802  (aiosmtpd finds commands by these names)
        self._told.commands.append("AUTH")
        await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        self._told.paths.append(arg or "")
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        self._told.paths.append(arg or "")
        await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        self._told.commands.append("DATA")
        if self._told.data:
            await self.push(self._told.data)
            return
        await super().smtp_DATA(arg)
        if self._told.drop == "after 250" and self.transport is not None:
            self.transport.close()
        elif self._told.after_250 is not None:
            self._told.after_250()


def _transport(connection: SMTP) -> asyncio.Transport:
    assert isinstance(connection.transport, asyncio.Transport)
    return connection.transport


class _Handler:
    """aiosmtpd's hooks: it calls `handle_<COMMAND>` and sends what they answer."""

    def __init__(self, told: MailServer) -> None:
        self._told = told

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self._told.commands.append("MAIL")
        if self._told.users and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if self._told.mail:
            return self._told.mail
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self._told.commands.append("RCPT")
        refused = self._told.rcpt.get(address)
        if refused:
            return refused
        envelope.rcpt_tos.append(address)
        if self._told.drop == "after RCPT":
            _transport(server).close()
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        received = Received(
            envelope.mail_from or "",
            tuple(envelope.rcpt_tos),
            content,
            tuple(envelope.mail_options),
            tls=_transport(server).get_extra_info("ssl_object") is not None,
            user=str(session.auth_data or ""),
        )
        self._told.offered.append(received)
        if self._told.at_dot is not None and not self._told.at_dot(received):
            _transport(server).abort()
            return "250 nobody hears this"
        if self._told.accept:
            return self._told.accept
        if self._told.drop == "before 250":
            _transport(server).abort()
            return "250 nobody hears this"
        if self._told.stall == "end of DATA":
            await asyncio.Event().wait()  # until the server is stopped
        self._told.messages.append(received)
        return f"250 2.0.0 OK: queued as {len(self._told.messages)}"


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1 and localhost, or for another name."""

    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path, names: str = "IP:127.0.0.1,DNS:localhost") -> Certificate:
        """Write certificate and key to `folder`, by the `openssl` command."""
        made = cls(folder / "certificate.pem", folder / "key.pem")
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-days", "2", "-subj", "/CN=mail server of a test", "-addext", f"subjectAltName={names}"),
                *("-keyout", str(made.key), "-out", str(made.certificate)),
            ],
            check=True,
            capture_output=True,
        )
        return made

    def server_context(self) -> ssl.SSLContext:
        """TLS as the server speaks it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

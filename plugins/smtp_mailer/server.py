"""The mail server's address and security, from one URL."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlsplit

from engine.configuration import Wrong
from engine.configuration.kinds import is_loopback
from engine.definition import Secret
from engine.errors import ConfigurationError

Security = Literal["none", "starttls", "tls"]

# Scheme → how the connection is secured, and the port where the URL names none (RFC 5321, RFC 6409, RFC 8314).
_SCHEMES: dict[str, tuple[Security, int]] = {
    "smtp": ("none", 25),
    "smtp+starttls": ("starttls", 587),
    "smtps": ("tls", 465),
}
FORMS = "smtp://host:port, smtp+starttls://user:secret@host:port or smtps://user:secret@host:port"


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server. `str()` names it for people, without credentials."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: Secret = field(default=Secret(""), repr=False)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(url: str) -> Server:
    """The server that `url` names; user and password in the URL are percent-encoded.

    Raises:
        ConfigurationError: never quotes the URL, which holds a password. Credentials for a server that is neither
            local nor reached through TLS are refused here, before anybody can read them on the way.
    """
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ConfigurationError("url: contains a space or a line break")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
        host.encode("idna")
        user = unquote(parts.username or "", errors="strict")
        password = unquote(parts.password or "", errors="strict")
    except ValueError:
        # `from None`: the cause quotes a part of the URL.
        raise ConfigurationError(f"url: host, port or percent-encoding is wrong; expected {FORMS}") from None
    if parts.scheme not in _SCHEMES or not host or port == 0:
        raise ConfigurationError(f"url: expected {FORMS}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigurationError("url: nothing may follow the port; / ? # @ : in a password are written %2F %3F %23 …")
    if bool(user) != bool(password):
        raise ConfigurationError("url: user and password must be given together")
    if not re.fullmatch(r"[\x20-\x7e]*", user + password):
        raise ConfigurationError("url: user and password must be printable ASCII")
    security, default_port = _SCHEMES[parts.scheme]
    if user and security == "none" and not is_loopback(host):
        raise ConfigurationError(
            "url: a password is never sent without TLS; write smtp+starttls:// or smtps:// instead of smtp://"
        )
    return Server(host, port or default_port, security, user, Secret(password))


def parsable(url: str) -> None:
    """Raise Wrong where `parse` would raise, with the same words, which quote nothing."""
    try:
        parse(url)
    except ConfigurationError as error:
        # The kind of the setting says anyway what is expected.
        words = str(error).removeprefix("url: ").removesuffix(f"expected {FORMS}").removesuffix("; ")
        raise Wrong(words) from None

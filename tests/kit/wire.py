"""`Browser` in front of a site that is served by a process of its own."""

from __future__ import annotations

import socket
from http.cookiejar import CookieJar
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, build_opener

from tests.kit.browser import Browser
from tests.kit.waiting import PATIENCE


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Wire:
    """What `Browser` asks of a client, over HTTP to a process of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def get(self, path: str, **_options: Any) -> Any:
        return self._answer(path, None)

    def post(self, path: str, data: dict[str, str], **_options: Any) -> Any:
        return self._answer(path, urlencode(data).encode())

    def _answer(self, path: str, data: bytes | None) -> Any:
        try:
            response = self._opener.open(urljoin(self.address, path), data, timeout=PATIENCE)
        except HTTPError as error:
            response = error
        with response:
            text = response.read().decode()
        asked = SimpleNamespace(path=urlsplit(response.url).path)
        kind = response.headers.get_content_type()
        return SimpleNamespace(request=asked, status_code=response.status, mimetype=kind, get_data=lambda as_text: text)


class WiredBrowser(Browser):
    """Somebody in front of a site that is served."""

    def __init__(self, address: str) -> None:
        self.wire = Wire(address)
        self.client = self.wire  # type: ignore[assignment]  # as much of it as a browser asks for
        self.path = "/"

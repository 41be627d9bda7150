"""The chat's HTTP API, as this plugin calls it, and what becomes of its answers.

| answer | what becomes of it |
|---|---|
| 200, 201 | `Accepted` |
| 429, 5xx, 408, 425 | `Deferred`, for as long as `Retry-After` says, in seconds or as a date |
| none | `Deferred` |
| 404, 410 | `Failed("room_gone")`: somebody must set another room, and may then try again |
| any other | `Failed`, with the chat's own code |
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

from engine.definition import Secret
from engine.delivery import Accepted, Failed, Outcome
from engine.plugins import HttpResponse, NotReached
from workflows.ports.host import SiteHost

_NOT_NOW = (408, 425, 429)
_GONE = (404, 410)


class Chat:
    """Calls to one chat. Each has the time limit `timeout`, and may be made from several threads."""

    def __init__(self, url: str, token: Secret, timeout: timedelta, host: SiteHost) -> None:
        self._url, self._timeout, self._http = url, timeout, lambda: host.http
        self._headers = {"Authorization": f"Bearer {token}"}

    def post(self, room: str, text: str, key: str, thread: str) -> Outcome:
        """Post a text as it is, without markup, once for each key. `thread` holds posts together."""
        said = {"text": text, "format": "plain", "thread": thread}
        try:
            answer = self._http().post(
                f"{self._room(room)}/messages", said, key=key, headers=self._headers, timeout=self._timeout
            )
        except NotReached as error:
            return error.deferred
        if answer.is_success:
            return Accepted()
        if answer.status in _NOT_NOW or answer.status >= 500:
            return answer.deferred()
        if answer.status in _GONE:
            return Failed("room_gone", f"the chat has no room {room}")
        return Failed(_code_in(answer) or f"status_{answer.status}")

    def is_gone(self, room: str, timeout: timedelta) -> bool:
        """Whether the chat says that there is no such room. A chat that says nothing leaves that open."""
        try:
            answer = self._http().get(self._room(room), headers=self._headers, timeout=timeout)
        except NotReached:
            return False
        return answer.status in _GONE

    def _room(self, room: str) -> str:
        return f"{self._url}/v1/rooms/{quote(room, safe='')}"


def _code_in(answer: HttpResponse) -> str:
    """The code of an error; "" where there is none. What the chat quotes of a post is left out (I11)."""
    try:
        told = answer.json()
    except ValueError:
        return ""
    return str(told.get("error", ""))[:64] if isinstance(told, Mapping) else ""

"""Request keys: a form that is sent twice is one request (I10). Each rendering of a form carries a key of its own."""

from __future__ import annotations

import hmac
import re
import secrets

from engine.definition import Refusal
from engine.text import Text, _
from web.http.current import site

_KEY = re.compile("[0-9a-f]{32}")


def sent_before(message: Text) -> Refusal:
    """The refusal of a form that was sent before with other contents (KeyReused), in the words of its page."""
    return Refusal("sent_before", message)


SENT_BEFORE = sent_before(_("先ほどの送信はすでに受け付けています。内容を変える場合は、もう一度送信してください。"))


def new_key() -> str:
    """A random request key, for one rendering of a form."""
    return secrets.token_hex(16)


def key_of(text: str | None) -> str:
    """The request key that a form brought; a new one where the form brought none that is valid."""
    return text if text and is_key(text) else new_key()


def is_key(text: str) -> bool:
    """Whether `text` is a key as `new_key` makes them."""
    return _KEY.fullmatch(text) is not None


def mark(text: str) -> str:
    """A keyed digest of what was typed: equal for a form that is sent twice, and not for one that was changed.

    It is keyed with the oldest secret key, so that it stays equal after another key was put first.
    """
    return hmac.digest(site().engine.keyring.oldest, text.encode("utf-8", "surrogatepass"), "sha256").hex()

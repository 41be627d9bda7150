"""What a mail address is, with quotes and without, and who asks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.attempt import Refusal
from engine.configuration import Wrong
from engine.configuration.kinds import mail_address
from engine.mail_address import NotAMailAddress, read
from engine.mime import is_mailbox
from engine.text import Text
from workflows.business import typed
from workflows.business.catalogue import DEFAULT_CATALOGUE
from workflows.business.customer_file.cells import parsers_of

ROOT = Path(engine.__file__).parent.parent
LOCAL_PARTS = st.text("ab.-_+/?!é", min_size=1, max_size=64).filter(lambda text: text.strip(".") != "")


@given(LOCAL_PARTS)
def test_an_address_is_the_same_with_quotes_and_without(local_part: str) -> None:
    address = read(f"{local_part}@docomo.ne.jp")
    assert str(address) == f"{local_part}@docomo.ne.jp"
    assert read(f'"{local_part}"@docomo.ne.jp') == read(address.wire) == address
    bare = not re.search(r"^\.|\.\.|\.$", local_part)
    assert address.wire == (str(address) if bare else f'"{local_part}"@docomo.ne.jp')


@given(st.text(st.characters(codec=None, exclude_categories=())) | st.text('ab.@"\\ <>,', max_size=20))
def test_any_text_is_an_address_that_stays_or_none(text: str) -> None:
    try:
        address = read(text)
    except NotAMailAddress:
        return
    assert read(str(address)) == read(address.wire) == address
    assert not re.search(r"[\s\x00-\x1f,<>]", address.wire)
    assert address.wire.encode()


@pytest.mark.parametrize(
    ("text", "excess"),
    [
        ("x" * 64 + "@b.jp", None),
        ("x" * 65 + "@b.jp", ("local_part", 64)),
        ("x" * 61 + "..@b.jp", ("local_part", 64)),
        ("x@" + ".".join(["d" * 63] * 4), ("address", 254)),
        ("x@" + ".".join(["d" * 63] * 4) + ".jp", ("domain", 255)),
    ],
)
def test_what_is_too_long_is_told_in_octets_of_the_wire(text: str, excess: tuple[str, int] | None) -> None:
    assert read(text).excess == excess


def _refuses(reader: Callable[[str], object], text: str) -> bool:
    try:
        return isinstance(reader(text), Refusal)
    except Wrong:
        return True


@pytest.mark.parametrize(
    "reader",
    [
        typed.email,
        typed.email_of_account,
        parsers_of("[0-9]+", DEFAULT_CATALOGUE)["contractor_email"],
        mail_address().parse,
        lambda text: is_mailbox(text) or Refusal("invalid", Text("no address")),
    ],
    ids=["form", "log-in", "CSV", "setting", "command"],
)
def test_whoever_takes_an_address_takes_those_of_carriers(reader: Callable[[str], object]) -> None:
    for text in ("a..b@docomo.ne.jp", "ab.@ezweb.ne.jp", ".ab@t.vodafone.ne.jp", '"a..b"@docomo.ne.jp'):
        assert not _refuses(reader, text), text
    for text in ("a..b", "@docomo.ne.jp", ".@docomo.ne.jp", '"a b"@docomo.ne.jp', "a@b@docomo.ne.jp", "a@docomo..jp"):
        assert _refuses(reader, text), text


def test_one_module_knows_what_an_address_is() -> None:
    """Another reader would let in what no mail can be sent to, or keep out what can."""
    readers = [
        str(path.relative_to(ROOT))
        for room in ("engine", "workflows", "web", "plugins")
        for path in sorted((ROOT / room).rglob("*.py"))
        if re.search(r"\b(?:email_validator|parseaddr|formataddr|rfc5322)\b", path.read_text(encoding="utf-8"))
    ]
    assert readers == ["workflows/business/typed/contact.py"]

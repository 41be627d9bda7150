"""Values of settings: what each kind takes as it is, how the text of a variable becomes one, and what it refuses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from engine import kinds
from engine.configuration import Value
from engine.definition import Secret
from engine.kinds import PLAIN, Wrong, as_path, host_and_port, is_loopback

CASES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "text": (kinds.text(most=5), ["a", "あ\nb", "a\tb\r", "12345"], ["", " ", "123456", "a\0", "a\u2028", "\ud800", 1]),
    "line": (kinds.line(5), ["a", "12345"], ["", "\t", "123456", "a\nb", "a\tb", None]),
    "matching": (kinds.matching("[a-c]+", "abc", 3), ["abc"], ["abcd", "abx", "abca", "", 1]),
    "whole": (kinds.whole(2, 4), [2, 3, 4], [1, 5, True, 2.0, "3"]),
    "seconds": (kinds.seconds(3), [0.1, 3, 3.0], [0, -1, 3.1, math.inf, math.nan, True, "1", 10**400]),
    "switch": (kinds.switch(), [True, False], ["true", 1, 0, None]),
    "one_of": (kinds.one_of(("a", "b")), ["a", "b"], ["c", "", 1, ["a"]]),
    "mail_address": (kinds.mail_address(), ["a@example.jp"], ["a", "A <a@example.jp>", " a@example.jp", "a@b@c", 1]),
    "named": (kinds.mail_address(named=True), ["A <a@example.jp>"], ["A <a>", f"{'a' * 250}@example.jp"]),
    "web_address": (
        kinds.web_address(),
        ["https://a.example/x?y#z", "http://127.0.0.1:8000/", "http://[::1]/"],
        [
            "ftp://a.example",
            "https://",
            "a.example",
            "https://a b.example",
            "https://u@a.example",
            "https://a.example:0",
        ],
    ),
    "origin": (
        kinds.origin(),
        ["https://a.example", "http://localhost:8000"],
        [
            "https://a.example/x",
            "https://a.example?x",
            "https://a.example?",
            "https://a.example#",
            "https://a.example#x",
        ],
    ),
    "zone": (kinds.zone(), ["Asia/Tokyo", "UTC"], ["Asia/Nowhere", "../etc/passwd", "", 9]),
    "pattern": (kinds.pattern(), ["A[0-9]{8}"], ["(", "[", "", "a{99999999999999}"]),
    "day": (kinds.day(), [date(2026, 12, 29)], ["2026-13-01", "2026-2-1", 20260201, datetime(2026, 1, 1)]),
    "time_of_day": (kinds.time_of_day(), [time(9, 0)], ["24:00", "9:60", "9", "9:5", 900]),
    "secret": (kinds.secret(), ["a", "a\nb", "x" * 4000], ["", "x" * 4001, 1, True, {}, []]),
    "path": (kinds.path(), [Path("a")], ["", "a\0b", 1, "x" * 4001]),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_takes_what_it_should_and_nothing_else(name: str) -> None:
    kind, taken, refused = CASES[name]
    for given in taken:
        assert kind.parse(given) == given
    for given in refused:
        with pytest.raises(Wrong):
            kind.parse(given)


def test_texts_become_the_values_that_they_say() -> None:
    switch, whole = kinds.switch(), kinds.whole(-5, 5)
    assert switch.convert is not None
    assert whole.convert is not None
    assert [switch.convert("true"), switch.convert("false")] == [True, False]
    assert [whole.convert(text) for text in ("5", "+5", "-5", "007")] == [5, 5, -5, 7]
    for convert, texts in ((switch.convert, ("", "True", "yes", "1")), (whole.convert, ("", "1.0", "x", "1" * 20))):
        for text in texts:
            with pytest.raises(Wrong):
                convert(text)
    assert kinds.day().parse("2026-02-28") == date(2026, 2, 28)
    assert kinds.time_of_day().parse("9:05") == time(9, 5)
    assert kinds.origin().parse("https://a.example/") == "https://a.example"
    assert kinds.several_of(("a", "b")).build(["b", "a", "b"]) == frozenset({"a", "b"})


def test_what_is_wrong_is_said_without_showing_a_secret() -> None:
    said = {}
    for given in (1, True, {}, []):
        with pytest.raises(Wrong) as wrong:
            kinds.secret().parse(given)
        said[type(given)] = str(wrong.value)
    assert said == {kind: f"given a value of type {name}" for kind, name in TYPES.items()}
    found = kinds.checked_secret("a key", lambda given: None).parse("x" * 4000)
    assert isinstance(found, Secret)
    assert isinstance(kinds.secret(pattern="[a-z]+").parse("abc"), Secret)

    def refuse(given: str) -> None:
        raise Wrong("not this one")

    for kind, given in (
        (kinds.checked_secret("a key", refuse), "abc"),
        (kinds.checked_secret("a key", lambda given: None), "x" * 4001),
        (kinds.checked_secret("a key", lambda given: None), "a\nb"),
        (kinds.checked_secret("a key", lambda given: None), 5),
        (kinds.secret(pattern="[a-z]+"), "ABC"),
    ):
        with pytest.raises(Wrong):
            kind.parse(given)


TYPES = {int: "int", bool: "bool", dict: "table", list: "list"}


def test_this_machine_is_known_by_name_and_by_address() -> None:
    assert [host for host in HOSTS if is_loopback(host)] == HOSTS[:5]


HOSTS = ["localhost", "shop.localhost", "127.0.0.1", "127.1.2.3", "::1", "localhost.example", "10.0.0.1", "::2", "x"]


def test_an_address_may_have_other_schemes_where_it_says_so() -> None:
    assert host_and_port("smtp://mail.example:25", ("smtp",)).port == 25
    with pytest.raises(Wrong):
        host_and_port("https://mail.example", ("smtp",))


def test_files_are_there_and_folders_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "font").write_bytes(b"\0\1font")
    (tmp_path / "empty").touch()
    assert kinds.file(b"\0\1").parse(str(tmp_path / "font")) == tmp_path / "font"
    assert kinds.file().parse(tmp_path / "font") == tmp_path / "font"
    for name, why in (
        ("font", "it begins otherwise"),
        ("empty", "it is empty"),
        ("gone", "No such file"),
        ("", "folder"),
    ):
        with pytest.raises(Wrong, match=why):
            kinds.file(b"x").parse(tmp_path / name)
    assert kinds.folder().parse(str(tmp_path / "new" / "deep")) == tmp_path / "new" / "deep"
    with pytest.raises(Wrong, match="font is no folder"):
        kinds.folder().parse(tmp_path / "font" / "below")
    assert as_path(tmp_path) is tmp_path


def test_plain_types_have_kinds_of_their_own() -> None:
    plain: dict[Any, Any] = dict(PLAIN)
    assert [plain[str].parse(given) for given in ("", "a\nb")] == ["", "a\nb"]
    assert plain[int].parse(-7) == -7
    assert plain[float].parse(1) == 1.0
    assert plain[bool].parse(False) is False
    table = plain[Mapping[str, Any]]
    assert isinstance(table, Value)
    assert table.parse({"a": 1}) == {"a": 1}
    for kind, given in ((int, True), (int, "1"), (int, 1.0), (bool, 1), (float, "1"), (str, 1), (str, " ")):
        with pytest.raises(Wrong):
            plain[kind].parse(given)
    with pytest.raises(Wrong):
        table.parse([])

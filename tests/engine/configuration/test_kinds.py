"""Values of settings: what each kind takes as it is, how the text of a variable becomes one, and what it refuses."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Secret
from engine.configuration import Kind, Place, Reading, Value, Wrong, kinds
from engine.configuration.kinds import PLAIN, as_path, host_and_port, is_loopback

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
    "path": (kinds.path(), [Path("a"), Path("x" * 4001)], ["", "a\0b", 1, "x" * 4001]),
    "text of most": (kinds.text(), ["x" * 10_000], ["x" * 10_001]),
    "line of most": (kinds.line(), ["x" * 200], ["x" * 201]),
    "matching of most": (kinds.matching("x+", "x"), ["x" * 200], ["x" * 201]),
    "address of most": (kinds.mail_address(named=True), [f"{'n' * 240} <a@b.example>"], [f"{'n' * 241} <a@b.example>"]),
    "web address of most": (kinds.web_address(), [f"http://a/{'x' * 1991}"], [f"http://a/{'x' * 1992}"]),
    "pattern of most": (kinds.pattern(), ["x" * 500], ["x" * 501]),
    "secret of a pattern": (kinds.secret(pattern="[a-z]+"), ["abc"], ["abc\n", "ABC"]),
    "hosts": (
        kinds.web_address(),
        ["http://a", "http://_dmarc.a-b.example", "http://[fe80::1]:1", "http://a:65535"],
        [
            "http://-a",
            "http://a-",
            "http://a..b:x",
            "http://a:65536",
            "http://日本.example",
            "http://a\tb",
            "http:///x",
        ],
    ),
    "day of text": (kinds.day(), [], ["2026-02-29", "2026-02-280", "x2026-02-28", None]),
    "whole of bounds": (kinds.whole(0, 0), [0], [1, -1, False]),
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
    wrongly: tuple[Any, ...] = (1, True, {}, [])
    for given in wrongly:
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
    assert [is_loopback(host) for host in HOSTS] == [True] * 5 + [False] * 4


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


EXPECTED: dict[str, Kind] = {
    "a text": kinds.text(),
    "words": kinds.text("words"),
    "a text of one line, up to 200 characters": kinds.line(),
    "a title": kinds.line(9, "a title"),
    "a letter": kinds.matching("[a-z]", "a letter"),
    "a whole number from 2 to 4": kinds.whole(2, 4),
    "days from 2 to 4": kinds.whole(2, 4, "days"),
    "seconds above 0 and up to 0.5": kinds.seconds(0.5),
    "true or false": kinds.switch(),
    "one of a, b": kinds.one_of(("a", "b")),
    "one of x": kinds.one_of(lambda: iter("x")),
    "a letter of many": kinds.one_of(("a", "b"), "a letter of many"),
    "a list of some of a, b": kinds.several_of(iter("ab")),
    "a mail address like support@example.jp": kinds.mail_address(),
    "an address like https://www.example.jp/page": kinds.web_address(),
    "http(s)://host, as in https://support.example.jp": kinds.origin(),
    "a time zone like Asia/Tokyo": kinds.zone(),
    "a regular expression like A[0-9]{8}": kinds.pattern(),
    "a day like 2026-12-29": kinds.day(),
    'a time like "9:00"': kinds.time_of_day(),
    "a file that can be read": kinds.file(),
    "a folder that can be written": kinds.folder(),
    "a path": kinds.path(),
    'a text or {env = "NAME"}': kinds.secret(),
    "a key": kinds.checked_secret("a key", str),
}


def test_each_kind_says_what_it_expects() -> None:
    assert {said: kind.expected for said, kind in EXPECTED.items()} == {said: said for said in EXPECTED}
    assert [kind.expected for _type, kind in PLAIN] == [
        "a text",
        "true or false",
        "a whole number",
        "a number",
        "a path",
        'a text or {env = "NAME"}',
        "a list of texts",
        "a table",
        "a list of tables",
    ]


def why(kind: Any, given: Any) -> str:
    """What is said of a value that is refused."""
    with pytest.raises(Wrong) as refused:
        kind.parse(given)
    return str(refused.value)


def test_what_is_refused_says_why_where_what_is_expected_does_not() -> None:
    for kind, given, said in (
        (kinds.text(), "", "it is empty"),
        (kinds.text(), " \n", "it is blank"),
        (kinds.line(3), "abcd", "it has 4 characters"),
        (kinds.line(), "a\nb", "it contains the character U+000A"),
        (kinds.text(), "a\u2029b", "it contains the character U+2029"),
        (kinds.line(), 7, ""),
        (kinds.web_address(), "http://a b", "it contains a space"),
        (kinds.origin(), "http://a/b", "it has a path, and must be the root of its host"),
        (kinds.origin(), "http://a?b", ""),
        (kinds.pattern(), "(", "missing ), unterminated subpattern at position 0"),
        (kinds.day(), "2026-13-01", "month must be in 1..12"),
        (kinds.day(), "2026-1-1", ""),
        (kinds.secret(), 7, "given a value of type int"),
        (kinds.secret(pattern="a"), "b", ""),
    ):
        assert why(kind, given) == said


def test_names_that_come_to_be_later_are_known_then() -> None:
    names = ["a"]
    kind = kinds.one_of(lambda: names, "a name")
    with pytest.raises(Wrong):
        kind.parse("b")
    names.append("b")
    assert kind.parse("b") == "b"
    assert kind.names is not None
    assert list(kind.names()) == ["a", "b"]
    zones = kinds.zone().names
    assert zones is not None
    assert "Asia/Tokyo" in zones()


def test_times_of_a_day_have_a_first_and_a_last() -> None:
    parse = kinds.time_of_day().parse
    assert [parse(given) for given in ("0:00", "00:01", "9:59", "23:59")] == [
        time(0, 0),
        time(0, 1),
        time(9, 59),
        time(23, 59),
    ]


def test_the_parts_of_an_address_are_its_host_and_port() -> None:
    parts = host_and_port("http://User.Example:8080/x")
    assert (parts.scheme, parts.hostname, parts.port, parts.path) == ("http", "user.example", 8080, "/x")
    assert kinds.origin().parse("http://a.example:8080//") == "http://a.example:8080"
    for given in ("ftp://a", "http://user@a", "http://a:0", "http://[::1", 7):
        with pytest.raises(Wrong):
            host_and_port(given)


def test_a_file_is_a_regular_one_that_is_not_empty_and_begins_as_it_should(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    assert kinds.file().parse(tmp_path / "one") == tmp_path / "one"
    assert why(kinds.file(), tmp_path / "pipe") == "it is no regular file"
    assert why(kinds.file(), tmp_path) == "it is a folder"
    assert why(kinds.file(), tmp_path / "gone") == "No such file or directory"
    assert why(kinds.file(b"xy"), tmp_path / "one") == "it begins otherwise"
    assert why(kinds.file(b"\0"), tmp_path / "one") == "it begins otherwise"


def test_a_folder_that_cannot_be_written_is_named_unless_it_is_the_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = os.access

    def access(path: Any, mode: int) -> bool:
        """As for somebody else than root, who may do everything."""
        return allowed(path, mode) and not (Path(path) == tmp_path / "shut" and mode & os.W_OK and mode & os.X_OK)

    monkeypatch.setattr(os, "access", access)
    (tmp_path / "shut").mkdir()
    assert why(kinds.folder(), tmp_path / "shut") == "it is not writable"
    assert why(kinds.folder(), tmp_path / "shut" / "a" / "b") == f"{tmp_path / 'shut'} is not writable"
    assert kinds.folder().parse(tmp_path / "open") == tmp_path / "open"
    assert not (tmp_path / "open").exists()
    (tmp_path / "file").touch()
    assert why(kinds.folder(), tmp_path / "file") == "file is no folder"
    assert why(kinds.folder(), tmp_path / ("x" * 300)) == "File name too long"


def test_plain_lists_and_tables_have_entries_of_their_kind() -> None:
    plain: dict[Any, Any] = dict(PLAIN)
    for kind, value, made in (
        (tuple[str, ...], ["a", "b\nc"], ("a", "b\nc")),
        (tuple[Mapping[str, Any], ...], [{"a": 1}], ({"a": 1},)),
        (Secret, "a", Secret("a")),
        (Path, "a/b", Path("a/b")),
    ):
        assert plain[kind].read(value, Place("x"), Reading({})) == made
    assert plain[int].convert("7") == 7
    assert plain[bool].convert("true") is True
    given = {"a": 1}
    assert plain[Mapping[str, Any]].parse(given) is not given

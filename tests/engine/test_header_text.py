"""Subjects and names: what a reader decodes is what was written, whoever decodes it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Sequence
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.header_text import letters, mailboxes, unstructured

WORD = re.compile(r"=\?utf-8\?B\?([A-Za-z0-9+/=]*)\?=")
WRITTEN = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn"))
MARKS = st.sampled_from(
    [*'　 （）「」()・、。ー〜"\\<>,;:@=?_', "\u3099", "\ufe00", "\U000e0100", "\u200d", "ﾞ", "👨", "🏽", "🇯", "🇵"]
)
TEXTS = st.text(WRITTEN | MARKS, max_size=120) | st.text(MARKS, max_size=60) | st.text(st.sampled_from("漢字 （"))
ADDRESSES = st.sampled_from(["a@b.jp", '"a..b"@docomo.ne.jp', f"{'x' * 64}@{'d' * 60}.{'e' * 60}.example.jp"])
MAILBOXES = st.lists(st.tuples(TEXTS, ADDRESSES), min_size=1, max_size=4)
SAMPLES = (
    "【重要】desknet's NEO （クラウド版） のお知らせ",
    "ご契約内容変更のお申し込みを受け付けました （受付番号 R-2457-4212-5）",
    "　先頭の空白　と　末尾の空白　",
    "two  blanks, and a trailing one ",
    "=?utf-8?q?a=0abcc=3a_x=40evil.example?=",
    "葛󠄀城市 辻󠄀 神󠄀 が゙ ﾊﾟ ﾌﾞ 👨‍👩‍👧 🇯🇵🇯🇵 👍🏽" * 4,
    "か\u3099" * 40,
    "株式会社" * 40,
    "A" * 300,
    "e" + "\u0301" * 60,
    "",
)

Decode = Callable[[bytes], str]


def by_the_old_parser(header: bytes) -> str:
    """`email.header`, as most of Python's programs decode."""
    value = header.partition(b":")[2].decode().replace("\r\n", "").removeprefix(" ")
    return str(make_header(decode_header(value))) if "=?" in value else value


def by_the_new_parser(header: bytes) -> str:
    """`email.policy.default`, another decoder."""
    return str(message_from_bytes(header + b"\r\n", policy=policy.default)["Subject"])


def by_the_letter(header: bytes) -> str:
    """RFC 2047 as it stands there: blanks between encoded words are dropped, each word is base64 of whole letters."""
    value = header.partition(b":")[2].decode().replace("\r\n", "").strip(" ")
    if not WORD.search(value):
        return header.partition(b": ")[2].decode().replace("\r\n", "")
    words = value.split(" ")
    assert all(WORD.fullmatch(word) for word in words), value
    return "".join(b64decode(match[1]).decode() for match in map(WORD.fullmatch, words) if match)


@pytest.mark.parametrize("decode", [by_the_old_parser, by_the_new_parser, by_the_letter])
@given(TEXTS)
@example(SAMPLES[0])
@example(SAMPLES[2])
@example(SAMPLES[4])
@example(SAMPLES[5])
@settings(max_examples=150)
def test_a_subject_is_decoded_to_what_was_written(decode: Decode, text: str) -> None:
    assert decode(unstructured("Subject", text).encode()) == text


@given(MAILBOXES)
@example([(one, "a@b.jp") for one in SAMPLES])
@settings(max_examples=150)
def test_names_are_decoded_to_what_was_written(written: list[tuple[str, str]]) -> None:
    value = mailboxes("To", written).partition(": ")[2].replace("\r\n", "")
    read = [(str(make_header(decode_header(name))) if "=?" in name else name, at) for name, at in getaddresses([value])]
    assert read == written


@given(TEXTS.filter(lambda name: len(name.encode()) <= 42 and name == " ".join(name.split())), ADDRESSES)
@settings(max_examples=150)
def test_a_name_of_one_word_is_decoded_by_the_new_parser_too(name: str, address: str) -> None:
    """CPython's new parser (3.11) puts blanks between the words of a name, and makes one blank of several."""
    local_part, _at, domain = address.replace('"', "").partition("@")
    read = message_from_bytes(mailboxes("From", [(name, address)]).encode() + b"\r\n", policy=policy.default)["From"]
    assert [(one.display_name, one.username, one.domain) for one in read.addresses] == [(name, local_part, domain)]


@given(TEXTS, MAILBOXES)
@example(SAMPLES[9] * 3, [(SAMPLES[9] * 3, "a@b.jp")])
@settings(max_examples=150)
def test_lines_and_words_are_as_long_as_they_may_be_and_no_word_is_empty(
    text: str, written: list[tuple[str, str]]
) -> None:
    for header in (unstructured("Subject", text), mailboxes("Cc", written)):
        assert header.endswith("\r\n")
        for line in header.removesuffix("\r\n").split("\r\n"):
            assert line.strip(), header
            assert len(line) <= 76 or line.lstrip(" Cc:").startswith(("<", "x")), line
        for word in header.split():
            assert len(word) <= 75 or not word.startswith("=?")
        assert "?B??=" not in header


@given(TEXTS)
@settings(max_examples=150)
def test_no_word_begins_within_a_letter(text: str) -> None:
    starts = {0}
    for letter in letters(text):
        starts.add(max(starts) + len(letter))
    longest = max((len(letter.encode()) for letter in letters(text)), default=0)
    at = 0
    for octets in WORD.findall(unstructured("Subject", text)):
        assert at in starts or longest > 40
        at += len(b64decode(octets).decode())  # raises where a word ends within a code point


@pytest.mark.parametrize(
    "letter",
    ["辻\U000e0100", "か\u3099", "ﾊﾟ", "e\u0301\u0323", "👨\u200d👩\u200d👧", "👍🏽", "🇯🇵", "❤\ufe0f", "क\u093f"],
)
def test_what_people_see_as_one_letter_is_one(letter: str) -> None:
    assert list(letters(f"a{letter}{letter}b")) == ["a", letter, letter, "b"]


def test_plain_text_stays_readable_on_the_wire() -> None:
    assert unstructured("Subject", "Your password was changed") == "Subject: Your password was changed\r\n"
    assert mailboxes("To", [("Taro Yamada", "a@b.jp")]) == "To: Taro Yamada <a@b.jp>\r\n"
    assert mailboxes("To", [('Yamada, "T"', "a@b.jp"), ("", "c@d.jp")]) == (
        'To: "Yamada, \\"T\\"" <a@b.jp>, c@d.jp\r\n'
    )


IN_PYTHON = """
import json, sys
from email import message_from_string, policy
print(json.dumps([message_from_string(one, policy=policy.default)["Subject"] for one in json.load(sys.stdin)]))
"""
IN_PERL = """
use Encode; use JSON::PP; local $/; my $asked = decode_json(<STDIN>);
print encode_json([map { s/\\r\\n//g; s/^Subject: ?//; Encode::decode("MIME-Header", $_) } @$asked]);
"""
OTHERS = {
    "perl": ["-e", IN_PERL],
    **{f"python3.{minor}": ["-c", IN_PYTHON] for minor in range(10, 16) if minor != sys.version_info.minor},
}


@pytest.mark.parametrize("program", OTHERS)
def test_other_programs_decode_the_same(program: str) -> None:
    """Perl's Encode, and other versions of Python, where the machine has them."""
    found = shutil.which(program)
    if found is None or subprocess.run([found, "-e" if program == "perl" else "-c", ""], check=False).returncode:
        pytest.skip(f"{program} is not on this machine")
    headers = [unstructured("Subject", one) for one in SAMPLES]
    assert _decoded([found, *OTHERS[program]], headers) == list(SAMPLES)


def _decoded(command: Sequence[str], headers: list[str]) -> list[str]:
    ran = subprocess.run(command, input=json.dumps(headers), capture_output=True, text=True, check=True, timeout=60)
    decoded: list[str] = json.loads(ran.stdout)
    return decoded

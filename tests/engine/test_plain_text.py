"""Facts in plain text stand under each other, in columns of a Japanese font."""

from __future__ import annotations

import pytest

from engine.plain_text import aligned, has_link, unlinked, width


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("abc", 3), ("受付番号", 8), ("ﾊﾟ", 2), ("か\u3099", 2), ("葛\U000e0100", 2), ("①×", 4)],
)
def test_a_full_width_letter_takes_two_columns(text: str, columns: int) -> None:
    assert width(text) == columns


def test_values_stand_under_each_other() -> None:
    assert aligned("受付番号：R-1\nお申し込みになった方：見本：花子\nE-mail：a@b.jp\n") == (
        "受付番号　　　　　　：R-1\nお申し込みになった方：見本：花子\nE-mail　　　　　　　：a@b.jp\n"
    )
    assert aligned("abc：1\n日本：2") == "abc ：1\n日本：2"
    assert aligned("Before: Bank\nRequested by: Hanako: H\n") == "Before:       Bank\nRequested by: Hanako: H\n"


def test_lines_without_a_colon_stay_as_they_are() -> None:
    assert aligned("") == ""
    assert aligned("https://a.jp/b\n\n見出し\n") == "https://a.jp/b\n\n見出し\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("至急 https://evil.example/login へ", "至急 https：／／evil．example／login へ"),
        ("www.evil.example", "www．evil．example"),
        ("evil.com", "evil．com"),
        ("総務evil.co.jp", "総務evil．co．jp"),
        ("山田.みんな/見て", "山田．みんな／見て"),
        ("evil.localhost:8080", "evil．localhost：8080"),
        ("192.0.2.1", "192．0．2．1"),
        ("mailto:a", "mailto：a"),
        ("a@evil.example", "a＠evil．example"),
        ("evil.xn--q9jyb4c", "evil．xn--q9jyb4c"),
        ("EVIL.TOP", "EVIL．TOP"),
    ],
)
def test_what_a_mail_program_would_make_a_link_of_is_none(text: str, shown: str) -> None:
    assert has_link(text)
    assert unlinked(text) == shown
    assert unlinked(shown) == shown


@pytest.mark.parametrize(
    "text", ["", "見本 花子", "taro.yamada", "Dr.Suzuki", "J. R. Smith", "営業/総務", "内線: 12", "Ph.D."]
)
def test_other_names_stay_as_they_are(text: str) -> None:
    assert not has_link(text)
    assert unlinked(text) == text

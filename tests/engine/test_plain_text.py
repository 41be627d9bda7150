"""Facts in plain text stand under each other, in columns of a Japanese font."""

from __future__ import annotations

import pytest

from engine.plain_text import aligned, width


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("abc", 3), ("受付番号", 8), ("ﾊﾟ", 2), ("か\u3099", 2), ("葛\U000e0100", 2), ("①×", 4)],
)
def test_a_full_width_letter_takes_two_columns(text: str, columns: int) -> None:
    assert width(text) == columns


def test_values_stand_under_each_other() -> None:
    assert aligned("受付番号：R-1\nお申し込みされた方：見本：花子\nE-mail：a@b.jp\n") == (
        "受付番号　　　　　：R-1\nお申し込みされた方：見本：花子\nE-mail　　　　　　：a@b.jp\n"
    )
    assert aligned("abc：1\n日本：2") == "abc ：1\n日本：2"
    assert aligned("Before: Bank\nRequested by: Hanako: H\n") == "Before:       Bank\nRequested by: Hanako: H\n"


def test_lines_without_a_colon_stay_as_they_are() -> None:
    assert aligned("") == ""
    assert aligned("https://a.jp/b\n\n見出し\n") == "https://a.jp/b\n\n見出し\n"

"""One thing has one name in pages and mails. Where the guide has a label, its letters are the name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("engine", "workflows", "plugins", "web")
PROSE = (".html", ".txt", ".typ", ".js")  # beside Python, whose string literals are read

# The name, what else it was called, and the exact texts that may say it otherwise: the guide's labels.
NAMES = {
    "受付番号": ("お?申し?込み?番号|手続き番号|申請番号", ()),
    "適用日": ("変更日(?!時)|変更予定日|適用予定日|実施日", ()),
    "お申し込みになった方": ("お?申し?込み?者|お申し込み(?:された|した)方|お申し込みのアカウント|申請者", ()),
    "お申し込み日時": ("受付日時|申請日時|お申込み?日時", ()),
    "お申し込み": (
        "(?<!お)申し込み(?!ま)|申込(?!メール)",
        (
            "アカウント作成お申込み",  # G14
            "アカウント作成のお申込みを受け付けました",  # G21
            "アカウント作成のお申込みを受け付けました。",
            "アカウント追加のお申込みを受け付けました",  # G38
            "サービスの新規お申込み",  # G45
            "自動払込利用申込書",  # as ゆうちょ銀行 calls its form; 申込メール is of ［申込メール送信］ (G37)
        ),
    ),
    "お断りする": ("却下", ()),
    "お受けできませんでした": ("お引き受け", ()),
    "担当者が確認中": ("審査中", ()),
    "ユーザー契約数": ("ライセンス数|契約ユーザー数|ご利用ユーザー数", ()),
    "お客様番号": ("顧客番号|会員番号", ("顧客番号（全銀）",)),  # which the banks call a field of theirs
    "ご契約種別": ("契約プラン|支払い?種別|契約期間の種別", ()),
    "お支払い方法": ("支払方法|決済方法|お支払方法", ()),
}
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龠]")


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """What a file says in Japanese, by line."""
    source = path.read_text("utf-8")
    if path.suffix != ".py":
        yield from ((number, line) for number, line in enumerate(source.splitlines(), 1) if JAPANESE.search(line))
        return
    tree = ast.parse(source)
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in documentation:
            continue
        if isinstance(node.value, str) and JAPANESE.search(node.value):
            yield node.lineno, node.value


def files() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix == ".py" or (path.suffix in PROSE and "static" not in path.parts):
                yield path


@cache
def said() -> list[tuple[Path, int, str]]:
    """What all files say in Japanese: the file, the line, the text."""
    return [(path.relative_to(ROOT), line, text) for path in files() for line, text in texts_of(path)]


@pytest.mark.parametrize("name", NAMES)
def test_one_thing_has_one_name(name: str) -> None:
    others, labels = NAMES[name]
    wrong = []
    for path, line, text in said():
        rest = text
        for label in labels:
            rest = rest.replace(label, "")
        if found := re.search(others, rest):
            wrong.append(f"{path}:{line}: {found[0]} is {name}: {text.strip()[:80]}")
    assert not wrong, "\n".join(wrong)


def test_no_sentence_is_made_of_the_words_of_a_button() -> None:
    """As in 「［取り下げる］を受け付けました。」: each act has a sentence of its own."""
    machines = re.compile(r"%\(button\)s［?］?(を受け付け|の操作)")
    wrong = [f"{path}:{line}: {text}" for path, line, text in said() if machines.search(text)]
    assert not wrong, "\n".join(wrong)


def test_dates_are_written_in_one_way() -> None:
    """2026年4月1日, and no 2026/04/01 or 2026年04月01日 beside it. Files have 2026-04-01."""
    others = re.compile(r"%Y/%m|%Y年%m月|y/MM|yyyy/|%m/%d")
    wrong = [str(path.relative_to(ROOT)) for path in files() if others.search(path.read_text("utf-8"))]
    assert not wrong

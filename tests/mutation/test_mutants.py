"""The tool itself: it finds the changes that matter and no others, and tells a killed mutant from a survivor."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.mutation.__main__ import main
from tests.mutation.mutants import is_another_program, mutants_of

PRICES = """
def smaller(one, other):
    found = (other, one)[one <= other]
    yield found
"""
ASKED = """
from shop.prices import smaller

def test_smaller():
    assert [*smaller(1, 2), *smaller(2, 1), *smaller(3, 3)] == [1, 1, 3]

def test_that_fails_anyway():
    assert not list(smaller(1, 2))
"""


def changes(source: str) -> list[str]:
    """What each mutant makes of its node, in order."""
    text = dedent(source).encode()
    return [
        f"{mutant.what}: {mutant.text}" for mutant in mutants_of(Path("x.py"), text) if is_another_program(mutant, text)
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", ["Lt to LtE: (a <= b)", "Lt to GtE: (a >= b)"]),
        ("a is not b", ["IsNot to Is: (a is b)"]),
        ("a and b", ["And to Or: (a or b)"]),
        ("not a", ["Not dropped: (a)"]),
        ("a + 1", ["Add to Sub: (a - 1)", "1 to 2: 2"]),
        ("min(a)", ["min to max: max"]),
        ("'done'", ["'done' to 'done_x': 'done_x'"]),
        ("[a for a in b if a]", ["filter dropped: True"]),
        ("a if b else c", ["condition that is always True: True", "condition that is always False: False"]),
        ("'A sentence.'", []),
        ("'a' + b", ["'a' to 'a_x': 'a_x'"]),
        ("f'{a + 1}'", []),
        ("A | B", []),
        ("TypeVar('done')", []),
        ("log.error(1)", []),
        ("zip(a, b, strict=True)", []),
        ("zip(a, b + c)", ["Add to Sub: (b - c)"]),
        ("call(strict=True)", ["True to False: False"]),
    ],
)
def test_each_kind_of_expression_changes_as_it_should(source: str, expected: list[str]) -> None:
    assert changes(f"x = {source}") == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("call()", ["call dropped: pass"]),
        ("log.info('x', 1)", []),
        ("def f():\n  raise E(1)", ["raise dropped: pass"]),
        ("def f():\n  return a", ["nothing returned: return None"]),
        ("def f():\n  return None", []),
        ("def f() -> bool:\n  return False", ["nothing returned: return None", "False to True: True"]),
        ("def _f() -> bool:\n  return False", ["False to True: True"]),
        ("def _f() -> bool:\n  return True", ["nothing returned: return None", "True to False: False"]),
        ("def _f() -> bool | None:\n  return False", ["nothing returned: return None", "False to True: True"]),
        ("a.b = c", ["assignment dropped: pass"]),
        ("a += b", ["change in place dropped: pass"]),
        ("del a[b]", ["del dropped: pass"]),
        ("while a:\n  continue", ["loop that is never entered: False", "continue dropped: pass"]),
        ("if a:\n  b = c", ["condition that is always True: True", "condition that is always False: False"]),
        ("if TYPE_CHECKING:\n  a.b = 1", []),
        ("class P(Protocol):\n  a = 1", []),
        ("def f(a: 'word' = True) -> 'word': ...", ["True to False: False"]),
        ("a: 'word' = 1", ["1 to 2: 2"]),
        ("'word'", []),
        ("assert a == 1", []),
        ("__slots__ = ('word',)", []),
        ("@mark(1)\ndef f(): ...", []),
    ],
)
def test_each_kind_of_statement_changes_as_it_should(source: str, expected: list[str]) -> None:
    assert changes(source) == expected


def test_a_change_stays_within_its_node_also_behind_japanese() -> None:
    source = 'x = "日本語", a < b  # なし\n'.encode()
    first = mutants_of(Path("x.py"), source)[0]
    assert first.applied(source).decode() == 'x = "日本語", (a <= b)  # なし\n'
    assert first.diff(source).splitlines()[-2:] == ['-x = "日本語", a < b  # なし', '+x = "日本語", (a <= b)  # なし']


def test_a_change_that_tests_notice_is_killed_and_one_that_makes_no_difference_survives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tree" / "shop").mkdir(parents=True)
    (tmp_path / "tree" / "shop" / "prices.py").write_text(PRICES)
    (tmp_path / "tree" / "test_prices.py").write_text(ASKED)
    told = ["--root", str(tmp_path / "tree"), "--kept", str(tmp_path / "kept"), "--jobs", "2", "--seed", "7"]
    assert main([*told, "--sources", "shop", "--tests", "test_*.py"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("2 mutants, seed 7\n")
    assert "1 tests fail or are skipped without a mutant, and are left out: test_prices.py::test_that_fails" in said
    assert "shop/prices.py:3: LtE to Gt: killed by test_prices.py::test_smaller\n" in said
    assert "shop/prices.py:3: LtE to Lt: SURVIVED 1 tests\n" in said
    assert "-    found = (other, one)[one <= other]\n+    found = (other, one)[(one < other)]\n" in said
    assert said.endswith("\n2 mutants (seed 7): 1 killed (0 of them by time), 1 survived: 50.0%; expected 90%\n")
    assert (tmp_path / "tree" / "shop" / "prices.py").read_text() == PRICES

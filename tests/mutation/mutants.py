"""Every single change of a source file that a test should notice.

A mutant is one change at one place: a comparison moved or turned round, `and` for `or`, a statement dropped, a
condition that always holds or never, another number, nothing returned. It is written as text, into the span of its own
node; the rest of the file stays as it is.

Left out is what no test can see: docstrings, annotations and what else is there for types alone, log lines, the words
of errors, asserts and the `strict` of `zip`; None for the False of a module's own `-> bool`, which is asked yes or no
(that it becomes True is tried); and what f-strings hold, of which Python 3.11 does not know the place.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}
_WORD = re.compile(r"[a-z][a-z_]*\Z")  # a name that the code goes by; a sentence is for people
_TYPE_MAKERS = frozenset({"cast", "TypeVar", "NewType", "getLogger", "ParamSpec"})
_LOGGERS = frozenset({"log", "logger", "logging"})


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of `path`: the bytes from `start` to `end` become `text`. Lines count from 1.

    `at_import` says that it runs while the module is imported, and not when a function is called.
    """

    path: Path
    what: str
    line: int
    last_line: int
    start: int
    end: int
    text: str
    at_import: bool = False

    def applied(self, source: bytes) -> bytes:
        """The changed file."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def diff(self, source: bytes) -> str:
        """The change as a unified diff."""
        before, after = (text.decode().splitlines() for text in (source, self.applied(source)))
        return "\n".join(difflib.unified_diff(before, after, f"a/{self.path}", f"b/{self.path}", lineterm="", n=2))

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def mutants_of(path: Path, source: bytes) -> list[Mutant]:
    """Every mutant of a file, in order of place. Some are no program, or the same one: see `is_another_program`."""
    finder = _Finder(path, source)
    finder.visit(ast.parse(source))
    return finder.found


def is_another_program(mutant: Mutant, source: bytes) -> bool:
    """Whether a mutant can be compiled, and says something else than the file."""
    changed = mutant.applied(source)
    try:
        tree = ast.parse(changed)
        compile(changed, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return ast.dump(tree) != ast.dump(ast.parse(source))


class _Finder(ast.NodeVisitor):
    """Walks through what runs, and writes mutants down."""

    def __init__(self, path: Path, source: bytes) -> None:
        self.path = path
        self.found: list[Mutant] = []
        self._depth = 0  # of functions
        self._says_yes_or_no = False  # whether the function is one of the module's own that answers a bool
        self._lines = [0]
        for line in source.split(b"\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)

    # -- writing down -------------------------------------------------------------------------------------------------

    def _mutate(self, node: ast.expr | ast.stmt, text: str, what: str) -> None:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._lines[node.lineno - 1] + node.col_offset
        end = self._lines[node.end_lineno - 1] + node.end_col_offset
        lines = node.lineno, node.end_lineno
        self.found.append(Mutant(self.path, what, *lines, start, end, text, not self._depth))

    def _become(self, node: ast.expr, other: ast.expr, what: str) -> None:
        self._mutate(node, f"({ast.unparse(other)})", what)

    # -- what runs ----------------------------------------------------------------------------------------------------

    def _visit_all(self, nodes: Sequence[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_all([*node.args.defaults, *node.args.kw_defaults])
        around, self._says_yes_or_no = self._says_yes_or_no, node.name.startswith("_") and _is_bool(node.returns)
        self._depth += 1
        self._visit_all(node.body)
        self._depth -= 1
        self._says_yes_or_no = around

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if not any(isinstance(base, ast.Name) and base.id in ("Protocol", "TypedDict") for base in node.bases):
            self._visit_all(node.body)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit_all([node.value])

    def visit_Import(self, node: ast.Import) -> None:
        """Nothing."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Nothing."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Nothing: what is in it has no place of its own."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """Nothing: it states what was proved."""

    # -- statements ---------------------------------------------------------------------------------------------------

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call) and not _is_log(node.value):
            self._mutate(node, "pass", "call dropped")
            self.visit(node.value)
        elif isinstance(node.value, ast.Yield | ast.YieldFrom | ast.Await):
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._mutate(node, "pass", "raise dropped")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            if not (self._says_yes_or_no and isinstance(node.value, ast.Constant) and node.value.value is False):
                self._mutate(node, "return None", "nothing returned")
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(isinstance(target, ast.Name) and target.id.startswith("__") for target in node.targets):
            return
        if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self._mutate(node, "pass", "assignment dropped")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._mutate(node, "pass", "change in place dropped")
        self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._mutate(node, "pass", "del dropped")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._mutate(node, "pass", "continue dropped")

    def visit_Break(self, node: ast.Break) -> None:
        self._mutate(node, "pass", "break dropped")

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            self._visit_all(node.orelse)
            return
        self._condition(node.test)
        self._visit_all([*node.body, *node.orelse])

    def visit_While(self, node: ast.While) -> None:
        self._mutate(node.test, "False", "loop that is never entered")
        self._visit_all([node.test, *node.body, *node.orelse])

    def _condition(self, test: ast.expr) -> None:
        for answer in ("True", "False"):
            self._mutate(test, answer, f"condition that is always {answer}")
        self.visit(test)

    # -- expressions --------------------------------------------------------------------------------------------------

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._condition(node.test)
        self._visit_all([node.body, node.orelse])

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._mutate(test, "True", "filter dropped")
        self._visit_all([node.iter, *node.ifs])

    def visit_Compare(self, node: ast.Compare) -> None:
        for place, operator in enumerate(node.ops):
            for other in _COMPARISONS[type(operator)]:
                changed = [*node.ops[:place], other(), *node.ops[place + 1 :]]
                what = f"{type(operator).__name__} to {other.__name__}"
                self._become(node, ast.Compare(node.left, changed, node.comparators), what)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        what = f"{type(node.op).__name__} to {type(other).__name__}"
        self._become(node, ast.BoolOp(other, node.values), what)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            self._become(node, node.operand, f"{type(node.op).__name__} dropped")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        other = _ARITHMETIC.get(type(node.op))
        if other is not None and not (_is_text(node.left) or _is_text(node.right) or _is_type(node.right)):
            what = f"{type(node.op).__name__} to {other.__name__}"
            self._become(node, ast.BinOp(node.left, other(), node.right), what)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if _is_log(node) or (isinstance(node.func, ast.Name) and node.func.id in _TYPE_MAKERS):
            return
        if isinstance(node.func, ast.Name) and node.func.id in _SWAPPED:
            other = _SWAPPED[node.func.id]
            self._mutate(node.func, other, f"{node.func.id} to {other}")
        if isinstance(node.func, ast.Name) and node.func.id == "zip":
            self._visit_all(node.args)  # `strict` states what was proved, like an assert
        else:
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._mutate(node, str(not value), f"{value} to {not value}")
        elif isinstance(value, int | float):
            self._mutate(node, repr(value + 1), f"{value!r} to {value + 1!r}")
        elif isinstance(value, str) and _WORD.match(value):
            self._mutate(node, repr(f"{value}_x"), f"{value!r} to {value + '_x'!r}")


def _is_bool(annotation: ast.expr | None) -> bool:
    return isinstance(annotation, ast.Name) and annotation.id == "bool"


def _is_log(call: ast.Call) -> bool:
    return (
        isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in _LOGGERS
    )


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _is_type(node: ast.expr) -> bool:
    """Whether it is `B` of `A | B`, by its name."""
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name[:1].isupper() or name in ("str", "int", "float", "bytes", "tuple", "list", "dict", "set", "frozenset")


def files_of(root: Path, sources: Sequence[str], leave_out: Sequence[str] = ()) -> Iterator[Path]:
    """The source files in these folders, or these files, by their path inside `root`; no folder of these names."""
    for source in sources:
        found = sorted((root / source).rglob("*.py")) if (root / source).is_dir() else [root / source]
        for path in found:
            inside = path.relative_to(root)
            if not set(leave_out) & set(inside.parts):
                yield inside

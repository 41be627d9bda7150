"""`tetsuzuki workflow list|show|check|diagram|readme|history`; others: `histories`, `cures`, `migrations`,
`pauses`, `procedure`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from web.cli import cures, histories, migrations, pauses, procedure
from web.cli.procedure import of_plugins
from web.cli.sites import INSTANCE, opened_site

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.authoring.check import Problem
    from engine.definition import Instance, Workflow
    from engine.runtime.engine import Engine


@click.group(epilog="Example: tetsuzuki workflow show account_creation")
def workflow() -> None:
    """Look at workflows and at what runs on them."""


def _named(name: str) -> Workflow:
    """The newest version of a workflow. Its own folder is looked into first, which is named as it is; plugins are asked
    where it is not the site's own."""
    from engine.errors import UnknownWorkflow
    from workflows.procedure import procedure_in

    procedure = procedure_in(name)
    own = [one for one in procedure.workflows if one.name == name] if procedure is not None else []
    if own:
        return max(own, key=lambda one: one.version)
    from workflows.registry import WORKFLOWS

    newest = {one.name: one for one in sorted(WORKFLOWS, key=lambda one: one.version)}
    if name not in newest:
        newest |= {one.name: one for one in sorted(of_plugins(), key=lambda one: one.version)}
    if name not in newest:
        raise UnknownWorkflow(_no_workflow(name, newest.values()))
    return newest[name]


@workflow.command("list", epilog="Example: tetsuzuki workflow list")
def list_workflows() -> None:
    """Every workflow with its version, title and place, those of plugins too."""
    from workflows.registry import WORKFLOWS

    for one in (*WORKFLOWS, *of_plugins()):
        click.echo(f"{one.name}  v{one.version}  {one.title}  ({len(one.states)} states, {one.where})")


@workflow.command(epilog="Example: tetsuzuki workflow show account_creation --language en")
@click.argument("name")
@click.option("--language", type=click.Choice(["ja", "en"]), default="ja", show_default=True)
def show(name: str, language: str) -> None:
    """A workflow's states, transitions, guards and timers."""
    from engine.authoring.diagram import lasting
    from engine.rules import rule_name
    from engine.text import reading_in

    definition = _named(name)
    with reading_in(language):
        click.echo(f"{definition.name} v{definition.version}: {definition.title}")
        for state in definition.states:
            kind = " (final)" if state.final else ""
            click.echo(f"\n{state.name}: {state.title}{kind}")
            for timer in state.timers:
                click.echo(f"  ⏱ {lasting(timer)}: {timer.event}")
            for event in definition.events[state.name]:
                for way in definition.outgoing[state.name, event]:
                    guards = f" [{', '.join(map(rule_name, way.guards))}]" if way.guards else ""
                    click.echo(f"  {event} → {way.target}{guards}  ({way.allow.title})")


@workflow.command(epilog="Example: tetsuzuki workflow check account_creation --strict")
@click.argument("name", required=False)
@click.option(
    "--strict",
    is_flag=True,
    help="Also report a wait for a person of which nothing is said: no reminder, no escalation, no end, and no reason.",
)
def check(name: str | None, strict: bool) -> None:
    """Report every problem of every definition, or of the versions of NAME alone, as `file:line: CODE message`.

    Unique indexes are looked for in an empty database that the migrations make; the site's own is not touched. Those of
    plugins are checked too; what keeps one of them out altogether is in `tetsuzuki plugins check`. Ends with 1 where
    anything is wrong.
    """
    from engine.authoring.check import check_all
    from engine.errors import UnknownWorkflow
    from web.assembly.procedures import definitions_of
    from web.assembly.settings import read
    from web.assembly.site import plugins_of
    from workflows.business.mail_frames import FRAMES
    from workflows.registry import EFFECT_KINDS, WORKFLOWS

    plugins = plugins_of(read())
    kinds = frozenset({"mail", *EFFECT_KINDS, *plugins.effect_handlers()})
    every = (*WORKFLOWS, *definitions_of(plugins))
    chosen = tuple(one for one in every if name in (None, one.name))
    if not chosen:
        raise UnknownWorkflow(_no_workflow(name, every))
    found = check_all(chosen, kinds=kinds, strict=strict, shared=FRAMES)
    problems = [*found, *_without_index(chosen, plugins.migrations())]
    for problem in problems:
        click.echo(str(problem))
    if problems:
        sys.exit(1)
    click.echo("1 workflow is well" if len(chosen) == 1 else f"{len(chosen)} workflows are well", err=True)


def _no_workflow(name: str | None, every: Iterable[Workflow]) -> str:
    return f"There is no workflow {name!r}; there are {', '.join(sorted({one.name for one in every}))}."


def _without_index(workflows: Sequence[Workflow], more: Sequence[Path]) -> list[Problem]:
    """The declared conflicts whose unique index no migration creates, ours or those of plugins."""
    from tempfile import TemporaryDirectory

    from engine.authoring.check.indexes import missing_indexes
    from engine.store.opening import open_database
    from engine.store.schema import migrate
    from workflows.registry import MIGRATIONS

    with TemporaryDirectory(prefix="tetsuzuki-check-") as folder:
        db = open_database(f"sqlite:///{folder}/empty.db")
        try:
            migrate(db, (*MIGRATIONS, *more))
            return missing_indexes(db, workflows)
        finally:
            db.close()


@workflow.command(epilog="Example: tetsuzuki workflow diagram account_creation --format svg > account_creation.svg")
@click.argument("name")
@click.option("--format", "form", type=click.Choice(["svg", "png", "mermaid", "dot"]), default="svg", show_default=True)
@click.option("--language", type=click.Choice(["ja", "en"]), default="ja", show_default=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="A file instead of standard output.")
def diagram(name: str, form: str, language: str, output: Path | None) -> None:
    """A workflow as a picture."""
    import engine.authoring.diagram

    definition = _named(name)
    made = getattr(engine.authoring.diagram, form)(definition, language)
    content = made if isinstance(made, bytes) else made.encode()
    if output is not None:
        output.write_bytes(content)
    else:
        sys.stdout.buffer.write(content if content.endswith(b"\n") or form == "png" else content + b"\n")


@workflow.command(epilog="Example: tetsuzuki workflow readme account_creation > workflows/account_creation/README.md")
@click.argument("name")
def readme(name: str) -> None:
    """A workflow's README, written from its definition."""
    from engine.authoring.readme import readme as describe

    click.echo(describe(_named(name)), nl=False)


@workflow.command(epilog="Example: tetsuzuki workflow history 42")
@click.argument("instance_id", metavar="INSTANCE", type=INSTANCE)
def history(instance_id: int) -> None:
    """What happened to one instance: when, what, by whom, how late a timer was, and which extensions took part."""
    from engine.runtime.history import extensions_of
    from workflows.business.request_number import request_number

    with opened_site(looks=True) as site:
        instance = _as_it_counts(site.engine, instance_id)
        entries = site.engine.history(instance_id)
    number = request_number(instance_id)
    click.echo(f"{instance.workflow} v{instance.version}, {instance.about}: {instance.state} ({number})")
    for entry in entries:
        late = f"  {entry.late:.1f} s late" if entry.late is not None else ""
        data = f"  {entry.data}" if entry.data != "{}" else ""
        source = entry.source or "·"
        click.echo(
            f"{entry.seq:4d}  {entry.at:%Y-%m-%d %H:%M:%S} UTC  {source} → {entry.target}  "
            f"{entry.event}  by {entry.actor}{late}{data}"
        )
        for one in extensions_of(entry):
            click.echo(f"      {'done without' if one.left_out else 'extended by'} {one}")


def _as_it_counts(engine: Engine, number: int) -> Instance:
    """An instance in the state that counts now; as it is written, where its definition is not loaded."""
    from engine.errors import UnknownWorkflow

    try:
        sight = engine.look(number)
    except UnknownWorkflow:
        instance = engine.stored(number)
        click.echo(f"no definition of {instance.workflow} v{instance.version} is loaded", err=True)
        return instance
    return replace(sight.instance, state=sight.state.name)


for command in (
    *histories.COMMANDS,
    cures.cure,
    migrations.migrate,
    *pauses.COMMANDS,
    procedure.new,
    procedure.release,
):
    workflow.add_command(command)

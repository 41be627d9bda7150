"""`tetsuzuki workflow verify|checkpoint|remove`: verification of histories, checkpoints, and lawful removal (I8)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from web.cli.sites import INSTANCE, REASON, opened_site, operator
from web.cli.written import FILE, whole

if TYPE_CHECKING:
    from engine.runtime.history import Finding
    from web.assembly.site import Site

_EVERY = 10_000  # instances between two signs of progress


@click.command(epilog="Example: tetsuzuki workflow verify --all --against checkpoints.jsonl")
@click.argument("instances", type=INSTANCE, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every instance, and the chain of checkpoints.")
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Checkpoints that were exported and kept elsewhere: shows that histories, or the database, were set back.",
)
def verify(instances: tuple[int, ...], everything: bool, against: Path | None) -> None:
    """Verify histories against their seals and checkpoints; lists every fault, and ends with 1 where there is one.

    What a lost secret key had sealed is listed as unverifiable, which is no fault. docs/integrity.md says what is
    detected, and what cannot be.
    """
    if not instances and not everything and against is None:
        raise click.UsageError("name instances, or say --all or --against FILE")
    with opened_site(looks=True) as site:
        bad, said = 0, []
        if everything or instances:
            count, bad, unverifiable = _verified(site, None if everything else instances)
            said.append(f"{count} histories verified")
            if unverifiable:
                said.append(f"{unverifiable} unverifiable in part")
        if against is not None:
            kept, faults = _against(site, against)
            bad += faults
            said.append(f"{kept} checkpoints of {against} compared")
    click.echo(f"{', '.join(said)}, {bad} faults", err=True)
    if bad:
        sys.exit(1)


def _verified(site: Site, instances: tuple[int, ...] | None) -> tuple[int, int, int]:
    """Verify histories. Returns how many were verified, how many faults were found, and how many are unverifiable in
    part."""
    from engine.runtime.verification import all_findings, finding

    bad = count = unverifiable = 0
    verdicts: Iterator[tuple[int, Finding]] = (
        all_findings(site.engine)
        if instances is None
        else ((number, finding(site.engine, number)) for number in instances)
    )
    for number, verdict in verdicts:
        count += number > 0
        bad += len(verdict.faults)
        for fault in verdict.faults:
            click.echo(f"instance {number}: {fault}" if number else fault)
        if verdict.unverifiable is not None:
            unverifiable += 1
            click.echo(f"instance {number}: {verdict.unverifiable}")
        if number and count % _EVERY == 0:
            click.echo(f"{count} histories verified so far, {bad} faults", err=True)
    return count, bad, unverifiable


def _against(site: Site, file: Path) -> tuple[int, int]:
    from engine.errors import ConfigurationError
    from engine.operations.kept_checkpoints import NotCheckpoints, against, imported

    try:
        with file.open(encoding="utf-8") as opened:
            kept = list(imported(opened))
    except (NotCheckpoints, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}") from error
    bad = 0
    for fault in against(site.engine, kept):
        bad += 1
        click.echo(fault)
    return len(kept), bad


@click.command(epilog="Example: tetsuzuki workflow checkpoint --export checkpoints.jsonl")
@click.option(
    "--export",
    "file",
    type=FILE,
    help="Write every checkpoint into this file, to be kept where whoever writes the database cannot.",
)
def checkpoint(file: Path | None) -> None:
    """Write down now where the histories stand. A running site does so by itself every ten minutes."""
    from engine.operations.kept_checkpoints import exported
    from engine.runtime.checkpoints import write

    with opened_site() as site:
        written = write(site.engine)
        click.echo(f"{written} checkpoints written", err=True)
        if file is not None:
            with whole(file) as opened:
                count = sum(opened.write(f"{line}\n".encode()) > 0 for line in exported(site.engine)) - 1
            click.echo(f"{count} checkpoints exported to {file}", err=True)


@click.command(epilog='Example: tetsuzuki workflow remove 42 --reason "kept for ten years"')
@click.argument("instance_id", metavar="INSTANCE", type=INSTANCE)
@click.option("--reason", type=REASON, required=True, help="Kept for ever: name no person.")
def remove(instance_id: int, reason: str) -> None:
    """Remove an instance that has come to its end, with its history. That it was removed stays, as a checkpoint."""
    from engine.runtime import checkpoints

    with opened_site() as site:
        checkpoints.remove(site.engine, instance_id, operator(), reason)
    click.echo(f"instance {instance_id} is removed")


COMMANDS = (verify, checkpoint, remove)

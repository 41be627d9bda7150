"""kill -9 at any moment, again and again, while real flows run: nothing acknowledged is lost, nothing is done twice.

A third of the kills come from the mail server: between the final dot and its 250 (with the mail taken, or lost with
the server's memory), or just after the 250. The next life runs on the same database, retries what its users got no
answer to, and is killed as well. When all are dead a last one brings everything to its end, and all is checked.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from math import ceil
from pathlib import Path

import pytest

from engine.store.opening import open_database
from engine.store.schema import migrate, pending
from tests.kit.databases import NewDatabase, close_database
from tests.kit.newborn import Newborn
from tests.kit.scale import repeatable, say, seed, trials
from tests.kit.smtp_server import MailServer
from tests.trials import crash_child, race_child
from tests.trials.ground import AFTER_250, AT_ANY_MOMENT, BY_THE_SERVER, Ground
from tests.trials.invariants import LOST, NO_MAIL, TWICE
from web.assembly.site import Site
from workflows.registry import MIGRATIONS

pytestmark = pytest.mark.time_limit(1500)  # many processes, whose work grows with the time that they have

BATCH = 20  # kills on one database
FULL = {"sqlite": 200, "postgresql": 60}


def _batches() -> list[tuple[str, int, int]]:
    """(database, number, kills): as many kills as this run makes, spread over databases."""
    found = []
    for kind, full in FULL.items():
        left = trials(full)
        for number in range(ceil(left / BATCH)):
            found.append((kind, number, min(BATCH, left - number * BATCH)))
    return found


def _figures(kind: str, ground: Ground, site: Site, began: float) -> str:
    with site.engine.store.reading() as unit:
        instances, entries = unit.rows("SELECT (SELECT count(*) FROM instance), (SELECT count(*) FROM history)")[0]
    mails = Counter(str(mail.mail["Message-ID"]) for mail in ground.server.messages)
    kills = ", ".join(f"{count} {how}" for how, count in sorted(ground.kills.items()))
    return (
        f"crash trials on {kind}: {sum(ground.kills.values())} kills ({kills}); "
        f"{ground.inside} fell inside a transaction, {ground.committing} of them inside COMMIT; "
        f"{len(ground.book.answers)} answered, {ground.book.committed_unheard} done and the answer not heard; "
        f"{instances} instances, {entries} transitions, {ground.fired} timers fired between kills, {len(mails)} mails, "
        f"{sum(count > 1 for count in mails.values())} of them more than once; "
        f"{time.monotonic() - began:.0f} s; TETSUZUKI_SEED={ground.seed.split('.')[0]}"
    )


@pytest.mark.parametrize(("kind", "batch", "kills"), _batches())
def test_nothing_is_lost_and_nothing_done_twice_however_it_is_killed(
    kind: str,
    batch: int,
    kills: int,
    tmp_path: Path,
    new_database: NewDatabase,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    began = time.monotonic()
    chosen = seed()
    with repeatable(chosen, request), MailServer() as server:
        ground = Ground(new_database(kind), tmp_path, server, f"{chosen}.{kind}.{batch}")
        ways = [BY_THE_SERVER[n // 3 % 3] if n % 3 == 0 else AT_ANY_MOMENT for n in range(kills)]
        for how in ways:
            ground.life(how)
        # At least a tenth inside a transaction, which is more than 20 over a full run; it mostly comes by itself.
        while ground.inside < ceil(kills / 10) and ground.lives < 4 * kills:
            ground.life(AT_ANY_MOMENT)
        site, found = ground.rest()
        try:
            assert found == []
            assert ground.book.answers
            assert ground.fired
            assert ground.inside >= ceil(kills / 10)
            say(capfd, _figures(kind, ground, site, began))
        finally:
            site.close()


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [(crash_child.ACK_EARLY, LOST), (crash_child.SEND_LATE, NO_MAIL), (crash_child.NO_KEYS, TWICE)],
)
def test_the_trials_notice_a_site_that(
    broken: str, complaint: str, tmp_path: Path, new_database: NewDatabase, request: pytest.FixtureRequest
) -> None:
    """Without this, a green trial would say little."""
    chosen = seed()
    found: list[str] = []
    with repeatable(chosen, request):
        for attempt in range(10):
            folder = tmp_path / str(attempt)
            folder.mkdir()
            with MailServer() as server:
                ground = Ground(new_database("sqlite"), folder, server, f"{chosen}.{attempt}", broken=broken)
                ways = (AT_ANY_MOMENT, AFTER_250)
                for n in range(2):
                    ground.life(ways[n])
                site, found = ground.rest()
                site.close()
            if any(fault.startswith(complaint) for fault in found):
                return
    pytest.fail(f"{broken}: nobody noticed; found was {found[:5]}")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_while_it_brings_its_tables_up_to_date(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = seed()
    rng = random.Random(chosen)
    halfway = 0
    count = trials(60 if kind == "sqlite" else 40)
    with repeatable(chosen, request):
        for n in range(count):
            if kind == "sqlite":
                url = f"sqlite:///{tmp_path / f'{n}.db'}"
            else:
                url = request.getfixturevalue("postgres").create()
            with Newborn(race_child.main, "tables", url, errors=tmp_path / f"errors-{n}") as child:
                assert child.stdout.readline() == b"ready\n"
                time.sleep(rng.uniform(0, 0.08))
                child.kill()
            db = open_database(url)
            before = pending(db, MIGRATIONS)
            halfway += 0 < len(before) < 2
            migrate(db, MIGRATIONS)
            assert pending(db, MIGRATIONS) == []
            assert {"instance", "history", "timer", "outbox", "account"} <= set(db.get_tables())
            close_database(db)
            if kind == "postgresql":
                request.getfixturevalue("postgres").drop(url)
    say(capfd, f"{kind}: killed {count} times while migrating, {halfway} of them between two steps")

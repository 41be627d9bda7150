"""kill -9 a worker between what a mail server answered for To and Cc and its record: nobody is forgotten (I5).

Each receipt of a request goes to two people. The server takes it from one of them and puts the other off, so that the
two answers are written down apart. The worker is killed before the first record, or between the two. When all lives are
over the mailboxes have room again, and a last life brings everything to its end.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from engine.operations.incidents import incidents
from tests.kit.contract_scenes import account, changed, contract, request
from tests.kit.customers import customer
from tests.kit.databases import NewDatabase
from tests.kit.newborn import Newborn
from tests.kit.scale import repeatable, say, seed, trials
from tests.kit.smtp_server import MailServer
from tests.trials import mail_child
from tests.trials.mail_child import ASKED, COPY_WRITTEN, FORGETS, NOTHING_WRITTEN, Life, clock_since, site_of

pytestmark = pytest.mark.time_limit(600)

FULL = {"sqlite": 30, "postgresql": 10}
LEAST = {"sqlite": 3, "postgresql": 1}
A_KILL = 4  # receipts for each kill: what a life can do
FULL_MAILBOX = "452 4.2.2 mailbox full"
WAYS = (COPY_WRITTEN, NOTHING_WRITTEN)
WITHIN = 60  # hours, in which all lives are led: after three days a mail is given up


@dataclass
class Post:
    """One database and one mail server, through many lives of a worker."""

    database_url: str
    var: Path
    seed: str
    server: MailServer
    broken: str = ""
    apart: float = 10.0  # hours between two lives, after which what was put off is due
    began: float = 0.0
    expected: dict[str, tuple[str, str]] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)

    def ask(self, receipts: int) -> None:
        """Each customer asks for something; of each receipt one mailbox is full, by turns that of To and of Cc."""
        site = site_of(self.database_url, self.server.url, self.var, lambda: ASKED)
        for number in range(1, receipts + 1):
            of = customer(f"A{number:08d}")
            of.contractor_email = f"to{number}@mihon.example"
            of.save()
            on = contract(of)
            asked = request(site, of, on, account(of, email=f"cc{number}@mihon.example"), changed(on, users=11))
            self.server.rcpt[f"{'to' if number % 2 else 'cc'}{number}@mihon.example"] = FULL_MAILBOX
            key = site.engine.effect_key(asked, 1, 0)
            self.expected[f"<{key}@desknets.com>"] = (f"to{number}@mihon.example", f"cc{number}@mihon.example")
        site.close()
        self.began = time.time()

    def life(self, how: str) -> None:
        """Start a worker and let it die."""
        number = self.kills.total()
        told = Life(
            self.database_url,
            self.server.url,
            str(self.var),
            f"{self.seed}.{number}",
            self.began - 60 * self.apart * number,
            how,
            self.broken,
        )
        errors = self.var.with_name(f"errors-{number}")
        with Newborn(mail_child.main, told, errors=errors) as child:
            try:
                assert child.stdout.readline() == b"work\n", errors.read_text(errors="replace")
                child.wait(10)
            except subprocess.TimeoutExpired:
                pass
            finally:
                if child.poll() is None:
                    how = "late"
                    child.kill()
        said = errors.read_text(errors="replace")
        assert child.returncode == -signal.SIGKILL, said
        assert not said, said
        self.kills[how] += 1

    def rest(self) -> list[str]:
        """A last life, which is not killed, with room in every mailbox: what is wrong then."""
        self.server.rcpt.clear()
        ahead = timedelta(hours=self.apart * self.kills.total())
        site = site_of(self.database_url, self.server.url, self.var, lambda: clock_since(self.began, ahead)())
        try:
            while site.dispatcher.next_due() is not None:
                ahead += timedelta(minutes=30)  # leases of the dead end, and what was put off is tried again
                site.dispatcher.drain()
            left = site.db.execute_sql("SELECT COUNT(*) FROM outbox WHERE state <> 'done'").fetchone()[0]
            return [f"an incident: {one}" for one in incidents(site.engine)] + list(self._faults(left))
        finally:
            site.close()

    def _faults(self, left: int) -> Iterator[str]:
        if left:
            yield f"{left} rows are not done"
        got = Counter((str(one.mail["Message-ID"]), to) for one in self.server.messages for to in one.recipients)
        wanted = {(mail, to) for mail, both in self.expected.items() for to in both}
        yield from (f"nobody has brought {mail} to {to}" for mail, to in sorted(wanted - got.keys()))
        yield from (f"{to} has got {mail}, which is another's" for mail, to in sorted(got.keys() - wanted))
        twice = sum(count - 1 for count in got.values())
        if twice > self.kills.total():  # at most the one mail that was under way at each
            yield f"{twice} mails came again, after {self.kills.total()} kills: {got.most_common(5)}"


def _kinds() -> list[tuple[str, int]]:
    return [(kind, max(trials(full), LEAST[kind])) for kind, full in FULL.items()]


@pytest.mark.parametrize(("kind", "kills"), _kinds())
def test_to_and_cc_get_their_mail_however_the_worker_is_killed(
    kind: str,
    kills: int,
    tmp_path: Path,
    new_database: NewDatabase,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    began, chosen = time.monotonic(), seed()
    with repeatable(chosen, request), MailServer() as server:
        post = Post(new_database(kind), tmp_path / "var", f"{chosen}.{kind}", server)
        post.apart = min(post.apart, WITHIN / kills)
        post.ask(kills * A_KILL)
        first = random.Random(chosen).randrange(2)
        for number in range(kills):
            post.life(WAYS[(first + number) % 2])
        assert post.rest() == []
        assert sum(post.kills[how] for how in WAYS) >= kills // 2
    done = ", ".join(f"{count} where {how}" for how, count in sorted(post.kills.items()))
    say(
        capfd,
        f"To and Cc under kill -9 on {kind}: {post.kills.total()} kills ({done}); {len(post.expected)} receipts, each "
        f"with both; {time.monotonic() - began:.0f} s; TETSUZUKI_SEED={chosen}",
    )


def test_the_trials_notice_a_site_that_forgets_whose_mailbox_was_full(
    tmp_path: Path, new_database: NewDatabase, request: pytest.FixtureRequest
) -> None:
    """Without this, a green trial would say little."""
    chosen = seed()
    with repeatable(chosen, request), MailServer() as server:
        post = Post(new_database("sqlite"), tmp_path / "var", str(chosen), server, broken=FORGETS)
        post.ask(A_KILL)
        post.life(COPY_WRITTEN)
        assert any("nobody has brought" in fault for fault in post.rest())

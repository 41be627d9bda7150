"""The secret key as an operator meets it: a lost one is missed, a new one takes over, one that is gone is given up."""

from __future__ import annotations

import re
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import click
import pytest

from engine.keyring import Keyring, fingerprint, short
from engine.operations.key_rotation import rotate
from engine.operations.known_keys import known, still_sealing, watch
from engine.runtime import checkpoints
from engine.workers import several_machines
from tests.kit.applications import begun
from tests.kit.commands import Run, begin_from, commands_in
from tests.kit.waiting import until
from tests.old_sites import REVISIONS, restore
from web.assembly import secret_keys
from web.assembly.settings import read
from web.assembly.site import build
from web.cli import tetsuzuki
from web.demo.content import CUSTOMERS
from workflows.business.records import Mandate, StaffMember
from workflows.registry import SEALED

KEY, NEW, OTHER = (f"{name} key of the tests, of more than 32 characters" for name in ("first", "newer", "other"))
KEY_FILE = Path("var/secret.key")


def fill(run: Run) -> int:
    """A site with a procedure under way and a member of staff; the procedure's number."""
    assert run("staff", "add", "hanako@example.co.jp", "見本 花子").code == 0
    site = build(read())
    try:
        return begun(site)
    finally:
        site.close()


@pytest.fixture(scope="module")
def var(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a site that is filled: each command gets a copy."""
    folder = tmp_path_factory.mktemp("filled")
    with pytest.MonkeyPatch.context() as patch, commands_in(folder, patch) as run:
        begin_from(sqlite_template)
        fill(run)
    return folder / "var"


@pytest.fixture
def filled(run: Run, var: Path) -> Run:
    """Commands in front of a site that is filled."""
    shutil.copytree(var, "var")
    return run


# -- which commands need a key, and which may make one -----------------------------------------------------------------


def on_a_free_port(command: tuple[str, ...]) -> tuple[str, ...]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return tuple(str(probe.getsockname()[1]) if word == "8000" else word for word in command)


CSV = str(CUSTOMERS)
WITHOUT_DATABASE = (
    ("workflow", "list"),
    ("workflow", "show", "account_creation"),
    ("workflow", "check"),
    ("workflow", "diagram", "account_creation", "--format", "dot"),
    ("workflow", "readme", "account_creation"),
    ("workflow", "new", "address_label", "--title", "宛名ラベル", "--english", "Address label"),
    ("workflow", "release", "faq_entry"),
    ("plugins", "list"),
    ("customers", "template"),
    ("plugins", "check"),
    ("plugins", "remove", "demo_usage"),  # the tables alone, where there are any
    ("plugins", "new", "some_mailer", "--shape", "mailer"),
    ("migrate", "--check"),  # the tables alone: it needs no key
)
LOOKING = (
    ("doctor",),
    ("shell",),
    ("customers", "export"),
    ("customers", "invite", "--wave", "spring", "--count", "1", "--dry-run"),
    ("customers", "invite", "--wave", "spring", "--status"),
    ("incidents", "list"),
    ("incidents", "bulk", "list"),
    ("incidents", "bulk", "show", "1"),
    ("staff", "list"),
    ("workflow", "history", "1"),
    ("workflow", "verify", "--all"),
    ("workflow", "verify", "1"),
    ("workflow", "resume", "1", "--dry-run"),
    ("pauses",),
    ("payments", "reports"),
    ("mails", "marks"),
    ("webhooks", "events"),
    ("shell",),
    ("workflow", "migrate", "account_creation", "--to", "1", "--dry-run"),
    ("secret", "show"),
    ("secret", "new"),
)
ACTING = (
    ("serve", "--port", "8000"),
    ("worker",),
    ("shell", "--write"),
    ("migrate",),
    ("customers", "import", CSV),
    ("customers", "invite", "--wave", "spring", "--count", "1"),
    ("customers", "release", "--all"),
    ("incidents", "retry", "1.1.0", "--reason", "x"),
    ("incidents", "skip", "1.1.0", "--reason", "x"),
    ("incidents", "amend", "1.1.0", "--to", "a@example.jp", "--reason", "x"),
    ("incidents", "bulk", "retry", "--reason", "x"),
    ("incidents", "bulk", "skip", "--reason", "x"),
    ("incidents", "bulk", "amend", "--host", "exmaple.jp", "--to-host", "example.jp", "--reason", "x"),
    ("incidents", "bulk", "stop", "1", "--reason", "x"),
    ("incidents", "bulk", "resume", "1", "--reason", "x"),
    ("staff", "add", "a@example.jp", "A"),
    ("staff", "reset", "hanako@example.co.jp"),
    ("staff", "deactivate", "hanako@example.co.jp"),
    ("workflow", "migrate", "1", "--to", "1", "--reason", "x"),
    ("workflow", "migrate", "account_creation", "--to", "1", "--reason", "x"),
    ("workflow", "pause", "1", "--reason", "x"),
    ("workflow", "resume", "1", "--reason", "x"),
    ("workflow", "cure", "timers", "1", "--reason", "x"),
    ("workflow", "cure", "link", "1", "--reason", "x"),
    ("workflow", "checkpoint"),
    ("workflow", "remove", "1", "--reason", "x"),
    ("mails", "clear", "1", "--reason", "x"),
    ("webhooks", "replay", "1"),
    ("webhooks", "settle", "1", "--reason", "x"),
    ("payments", "replay", "1"),
    ("payments", "settle", "1", "--reason", "x"),
    ("plugins", "retire", "nightly_report"),
    ("plugins", "admit", "bonus_points"),
    ("restored", "--reason", "x"),
    ("secret", "rotate"),
)
IN_A_CHECKOUT = (("workflow", "new"), ("workflow", "release"))
OF_THEIR_OWN = (("demo",), ("mails", "bounce", "-"), ("secret", "accept-loss", "--reason", "x"))


def leaves(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """The path of every command that has no others below it."""
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from leaves(below, *path, name)


def test_every_command_is_known_here() -> None:
    tried = {*WITHOUT_DATABASE, *LOOKING, *ACTING, *IN_A_CHECKOUT, *OF_THEIR_OWN}
    assert {path for path in leaves(tetsuzuki) if not any(one[: len(path)] == path for one in tried)} == set()


@pytest.mark.parametrize("command", [*LOOKING, *ACTING], ids=" ".join)
def test_no_command_works_on_a_site_whose_key_is_gone_and_none_makes_another(
    filled: Run, command: tuple[str, ...]
) -> None:
    lost = short(fingerprint(KEY_FILE.read_text().encode()))
    KEY_FILE.unlink()
    said = filled(*on_a_free_port(command))
    assert said.code == 1
    assert said.err.startswith("tetsuzuki: SECRET_KEY: this database is sealed with key " + lost)
    assert "secret.key is not there" in said.err
    assert "all is well" not in said.out
    assert not KEY_FILE.exists()


@pytest.mark.parametrize("command", [*LOOKING, *ACTING], ids=" ".join)
def test_no_command_works_with_another_key(filled: Run, command: tuple[str, ...]) -> None:
    said = filled(*on_a_free_port(command), env={"TETSUZUKI_SECRET_KEY": OTHER})
    assert said.code == 1
    assert f"the configured key is {short(fingerprint(OTHER.encode()))}" in said.err
    assert OTHER not in said.err + said.out


@pytest.mark.parametrize("command", [*WITHOUT_DATABASE, *(one for one in LOOKING if one[0] != "secret")], ids=" ".join)
def test_no_looking_command_makes_a_key_on_an_empty_site(run: Run, command: tuple[str, ...]) -> None:
    run(*command)
    assert not KEY_FILE.exists()
    assert run(*command, "--help").code == 0
    assert not KEY_FILE.exists()


@pytest.mark.parametrize("command", [("migrate",), ("customers", "import", CSV), ("staff", "add", "a@b.example", "A")])
def test_the_first_start_on_an_empty_site_makes_its_key(run: Run, command: tuple[str, ...]) -> None:
    assert "the database knows none yet" in run("doctor").out
    assert run("secret", "show").out.splitlines()[0] == "there is no key yet: the first start draws one"
    assert run(*command).code == 0
    made = KEY_FILE.read_text()
    said = run("secret", "show")
    assert short(fingerprint(made.encode())) in said.out
    assert made not in said.out + said.err
    assert run("doctor").code == 0
    assert KEY_FILE.read_text() == made


# -- a database from before --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_from_before_is_opened_by_its_own_key_alone(
    run: Run, revision: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}" if kind == "sqlite" else request.getfixturevalue("empty_postgres_url")
    held = restore(revision, str(url))
    monkeypatch.setenv("TETSUZUKI_DATABASE_URL", str(url))
    for command in (("migrate",), ("doctor",), ("staff", "list"), ("incidents", "retry", "1.1.0", "--reason", "x")):
        said = run(*command, env={"TETSUZUKI_SECRET_KEY": OTHER})
        assert (said.code, "nothing in this database was sealed with" in said.err) == (1, True), said
    if kind == "sqlite":
        said = run("doctor")
        assert (said.code, "and this database was sealed with one" in said.err) == (1, True), said
        assert not KEY_FILE.exists()
    monkeypatch.setenv("TETSUZUKI_SECRET_KEY", held.secret.decode())
    assert "SECRET_KEY" not in run("doctor").err
    assert run("migrate").code == 0
    assert short(fingerprint(held.secret)) in run("secret", "show").out
    assert "this database is sealed with key" in run("doctor", env={"TETSUZUKI_SECRET_KEY": OTHER}).err


def test_who_has_another_key_takes_no_step(run: Run, filled: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect("var/tetsuzuki.db")) as db:
        before = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name LIKE '%faq%'")]
        for name in ("faq_entry", "migration_faq"):
            db.execute(f"DROP TABLE {name}")
    assert before
    for command in (("staff", "add", "b@office.example", "B"), ("migrate",), ("customers", "release", "--all")):
        said = run(*command, env={"TETSUZUKI_SECRET_KEY": OTHER})
        assert (said.code, "SECRET_KEY: this database is sealed with key" in said.err) == (1, True), said
    with closing(sqlite3.connect("var/tetsuzuki.db")) as db:
        assert db.execute("SELECT COUNT(*) FROM sqlite_master WHERE name LIKE '%faq%'").fetchone() == (0,)
    assert run("migrate").code == 0


# -- a new key ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def keys(
    request: pytest.FixtureRequest, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Set the keys of a site on each kind of database."""
    postgres = request.param == "postgresql"
    url = request.getfixturevalue("postgres_url") if postgres else f"sqlite:///{tmp_path / 'site.db'}"
    monkeypatch.setenv("TETSUZUKI_DATABASE_URL", str(url))

    def put(text: str) -> None:
        monkeypatch.setenv("TETSUZUKI_SECRET_KEY", text)

    return put


FIRST, SECOND = "1" * 40, "2" * 40


def test_a_new_key_takes_over_and_the_old_one_goes(run: Run, keys: Callable[[str], None]) -> None:
    keys(FIRST)
    number = fill(run)
    keys(f"{SECOND},{FIRST}")
    said = run("secret", "show")
    assert "histories: 1, of which 1 need an old key" in said.out
    assert "open set-ups of staff: 1 need an old key" in said.out
    assert "next: tetsuzuki secret rotate" in said.out
    assert run("staff", "add", "another@example.co.jp", "別の人").code == 0
    assert f"{short(fingerprint(FIRST.encode()))} is to be replaced: tetsuzuki secret rotate" in run("doctor").out
    said = run("secret", "rotate")
    assert said.code == 0, said
    assert "1 histories, 1 of them sealed anew; 0 do not verify" in said.err
    assert "1 stored secrets sealed anew, 0 that no key opens" in said.err
    said = run("secret", "show")
    assert "histories: 1, of which 0 need an old key, 0 verify with no key" in said.out
    assert "mailed links: 1 procedures under way may have one of an old key; the last timer of them ends at" in said.out
    assert "keep it until" in said.out
    assert "is retired and still configured" in run("doctor").out
    keys(SECOND)
    assert run("workflow", "verify", str(number)).code == 0
    assert "SECRET_KEY" not in run("doctor").err
    keys(FIRST)
    assert run("doctor").code == 1


def test_the_old_key_is_not_retired_while_a_process_still_seals_with_it(run: Run, keys: Callable[[str], None]) -> None:
    keys(FIRST)
    fill(run)
    site = build(read())
    watch(site.db, site.engine.keyring, site.clock)
    keys(f"{SECOND},{FIRST}")
    said = run("secret", "rotate")
    assert said.code == 1
    assert "1 of them sealed anew" in said.err
    assert f"a process sealed with the old key {short(fingerprint(FIRST.encode()))} until" in said.err
    assert "is to be replaced" in run("doctor").out
    site.db.execute_sql("UPDATE secret_key SET sealing_at = '2026-01-01 00:00:00.000000'")
    site.close()
    assert run("secret", "rotate").code == 0
    assert "is retired" in run("doctor").out


def test_a_process_of_pages_alone_is_one_that_seals_too(
    run: Run, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    monkeypatch.setattr(several_machines, "SWEEP", timedelta(milliseconds=50))
    monkeypatch.setenv("TETSUZUKI_DATABASE_URL", postgres_url)
    monkeypatch.setenv("TETSUZUKI_SECRET_KEY", FIRST)
    fill(run)
    site = build(read(), works=False)
    assert not still_sealing(site.db, Keyring((SECOND.encode(), FIRST.encode())), site.clock())
    site.heartbeat.start()
    try:
        monkeypatch.setenv("TETSUZUKI_SECRET_KEY", f"{SECOND},{FIRST}")
        until(
            lambda: still_sealing(site.db, Keyring((SECOND.encode(), FIRST.encode())), site.clock()),
            "the process to say that it seals",
        )
        assert run("secret", "rotate").code == 1
    finally:
        site.heartbeat.stop()
        site.close()


def test_rotating_lists_what_does_not_verify_and_ends_with_1(run: Run, keys: Callable[[str], None]) -> None:
    keys(FIRST)
    number = fill(run)
    keys(f"{SECOND} {FIRST}")
    site = build(read())
    begun(site, "another@mihon.example")
    site.db.execute_sql(f"UPDATE history SET actor = 'nobody' WHERE instance_id = {number}")
    site.close()
    said = run("secret", "rotate")
    assert said.code == 1
    assert said.out == f"instance {number}: entry 1 (start) was changed, or SECRET_KEY is another one\n"
    assert "1 do not verify and stay as they are" in said.err
    keys(SECOND)
    assert run("workflow", "verify", "--all").code == 1


def test_a_rotation_that_was_interrupted_is_to_be_ended(run: Run, keys: Callable[[str], None]) -> None:
    keys(FIRST)
    fill(run)
    assert run("workflow", "checkpoint").code == 0
    keys(f"{SECOND},{FIRST}")
    site = build(read())
    checkpoints.write(site.engine)
    for reach in (rotate, lambda engine: SEALED.seal_anew(site.services.vault)):
        said = run("secret", "show")
        assert said.out.splitlines()[-1] == "next: tetsuzuki secret rotate"
        reach(site.engine)
    said = run("secret", "show")
    assert "checkpoints: 0 need an old key" in said.out
    assert said.out.splitlines()[-1] == "next: tetsuzuki secret rotate"  # the old key is not retired yet
    site.close()
    assert run("secret", "rotate").code == 0
    assert "next: tetsuzuki secret rotate" not in run("secret", "show").out


def test_checkpoints_of_an_old_key_are_counted(run: Run, keys: Callable[[str], None]) -> None:
    keys(FIRST)
    fill(run)
    assert run("workflow", "checkpoint").code == 0
    keys(f"{SECOND},{FIRST}")
    assert run("migrate").code == 0
    assert "checkpoints: 1 need an old key" in run("secret", "show").out
    assert run("secret", "rotate").code == 0
    assert "checkpoints: 0 need an old key" in run("secret", "show").out


def test_a_single_machine_draws_its_new_key_itself(run: Run) -> None:
    fill(run)
    old = KEY_FILE.read_text()
    assert run("secret", "new").code == 0
    new, kept = KEY_FILE.read_text().split("\n")
    assert kept == old
    assert new not in (old, "")
    said = run("secret", "rotate")
    assert (said.code, "1 of them sealed anew" in said.err) == (0, True)
    KEY_FILE.write_text(new)
    assert run("workflow", "verify", "--all").code == 0


def test_a_key_that_a_setting_holds_is_printed_to_be_put_there(run: Run, keys: Callable[[str], None]) -> None:
    keys(FIRST)
    fill(run)
    said = run("secret", "new")
    assert re.fullmatch(r"[0-9a-f]{64}\n", said.out)
    assert "Put it first in secret_key" in said.err
    assert not KEY_FILE.exists()


# -- a key that is gone ------------------------------------------------------------------------------------------------

LOSS = ("secret", "accept-loss", "--reason", "the disk died, and there was no copy")


def test_what_ends_is_said_before_and_nothing_happens_without_a_yes(run: Run) -> None:
    fill(run)
    KEY_FILE.unlink()
    said = run(*LOSS, typed="n\n")
    assert said.code == 1
    for part in (
        "1 of 1 can no longer be verified",
        "mailed links",
        "sessions",
        "payment data",
        "0 procedures and effects",
        "staff reset",
    ):
        assert part in said.out
    assert not KEY_FILE.exists()
    assert run(*LOSS).code == 1
    assert "is sealed with key" in run("doctor").err


def test_a_site_goes_on_without_a_key_that_is_gone_and_says_so_for_ever(run: Run, keys: Callable[[str], None]) -> None:
    keys(FIRST)
    number = fill(run)
    site = build(read())
    member = StaffMember.get()
    with_totp = site.services.vault.seal("JBSWY3DPEHPK3PXP", "staff totp")
    StaffMember.update(totp_secret=with_totp).where(StaffMember.id == member.id).execute()
    site.close()
    keys(SECOND)
    said = run(*LOSS, "--yes")
    assert said.code == 0, said
    assert said.out.splitlines()[-1] == "next: tetsuzuki staff reset hanako@example.co.jp"
    assert "1 histories go on" in said.err
    said = run("workflow", "verify", "--all")
    assert said.code == 0
    assert re.fullmatch(
        rf"instance {number}: entries 1 to 1 are unverifiable: their key was lost on [-0-9]{{10}} "
        r"\(the disk died, and there was no copy\)\n",
        said.out,
    )
    assert "1 unverifiable in part" in said.err
    assert f"{short(fingerprint(FIRST.encode()))} was lost, given up on" in run("doctor").out
    assert "key.lost" in run("workflow", "history", str(number)).out
    assert "waits for set-up" in run("staff", "list").out
    assert run("staff", "reset", "hanako@example.co.jp").code == 0
    said = run(*LOSS, "--yes")
    assert (said.code, said.err) == (1, "tetsuzuki: no secret key is missing: nothing is given up\n")
    keys(FIRST)
    assert run("doctor").code == 1


def test_a_key_that_was_lost_before_anybody_wrote_it_down_is_given_up_without_a_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    restore(REVISIONS[0], url)
    monkeypatch.setenv("TETSUZUKI_DATABASE_URL", url)
    said = run(*LOSS, "--yes")
    assert said.code == 0, said
    assert KEY_FILE.exists()
    assert run("migrate").code == 0
    verified = run("workflow", "verify", "--all")
    assert verified.code == 0
    assert "their key was lost on" in verified.out
    assert Mandate.select().where(Mandate.sealed != "").count() == 0
    assert secret_keys.from_file(Path("var")) != ()
    assert run("doctor").err == ""


def test_nothing_is_given_up_while_a_process_seals_with_the_key(run: Run, keys: Callable[[str], None]) -> None:
    keys(FIRST)
    number = fill(run)
    site = build(read())
    watch(site.db, site.engine.keyring, site.clock)
    keys(SECOND)
    said = run(*LOSS, "--yes")
    assert said.code == 1
    assert f"a process sealed with the key {short(fingerprint(FIRST.encode()))} until" in said.err
    assert site.engine.verify(number) == []
    site.db.execute_sql("UPDATE secret_key SET sealing_at = '2026-01-01 00:00:00.000000'")
    site.close()
    assert run(*LOSS, "--yes").code == 0


def test_nothing_is_given_up_while_the_key_is_there(run: Run) -> None:
    fill(run)
    said = run(*LOSS, "--yes")
    assert (said.code, said.err) == (1, "tetsuzuki: no secret key is missing: nothing is given up\n")
    site = build(read())
    assert [key.state for key in known(site.db)] == ["in use"]
    assert SEALED.is_opened_by(site.engine.keyring)
    site.close()

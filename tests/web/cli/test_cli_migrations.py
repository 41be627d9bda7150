"""`tetsuzuki workflow migrate`, run for real: one instance, and all that are asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.attempt import Actor, Secret
from tests.kit.commands import Run
from web.assembly.site import Site
from workflows.account_creation.inputs import ApplicationInput
from workflows.account_invitation.inputs import InvitationInput
from workflows.business.records import Account, Customer


def applied(site: Site, count: int, version: int = 9) -> list[int]:
    """Applications that run, as the table says, on a version of which no definition is here any more."""
    customer = Customer.create(
        number="A00000001", company="X", channel="direct", contractor_name="X", contractor_email="x@mihon.example"
    )
    numbers = []
    for n in range(count):
        data = ApplicationInput(customer.id, "見本 花子", f"u{n}@mihon.example", Secret("hash"))
        about = f"customer:{customer.id}"
        numbers.append(site.engine.start("account_creation", about, Actor("visitor"), data).instance_id)
    site.db.execute_sql("UPDATE instance SET version = ?", (version,))
    return numbers


def invited(site: Site) -> int:
    """An invitation of the version of today."""
    customer = Customer.create(
        number="A00000001", company="X", channel="direct", contractor_name="X", contractor_email="x@mihon.example"
    )
    admin = Account.create(
        customer=customer,
        email="a@mihon.example",
        user_name="X",
        role="admin",
        password_hash="x",
        created_at=datetime(2026, 4, 1, tzinfo=UTC),
    )
    data, actor = InvitationInput("見本 花子", "h@mihon.example", "viewer"), Actor("account", str(admin.id))
    return site.engine.start("account_invitation", f"customer:{customer.id}", actor, data).instance_id


def versions(site: Site) -> list[int]:
    return [row[0] for row in site.db.execute_sql("SELECT version FROM instance ORDER BY id").fetchall()]


MANY = ("workflow", "migrate", "account_creation", "--to", "1")


def test_many_are_foretold_and_moved(run: Run, site: Site) -> None:
    numbers = applied(site, 3)
    site.db.execute_sql("UPDATE instance SET state = 'of_before' WHERE id = ?", (numbers[2],))
    said = run(*MANY, "--dry-run")
    assert (said.code, said.out.splitlines()) == (
        1,
        [
            "account_creation 9 → 1 (dry run: nothing is written)",
            "  v9 of_before: 1 need a choice: Workflow 'account_creation' version 1 has no state 'of_before'. "
            "(--map of_before=STATE)",
            f"      e.g. {numbers[2]}",
            "  v9 requested: 2 would move → requested",
            "  timer expire in requested: kept (2)",
            "  effect account_creation → account_creation (2)",
            "  note: version 9 is not loaded: its due timers are not applied before, and which of its states are final "
            "is known from other versions alone",
        ],
    )
    assert said.err == "3 of 3\n2 would move, 1 need a choice, 0 cannot move\n"
    assert versions(site) == [9, 9, 9]
    assert run(*MANY, "--reason", "back", "--limit", "1").err == "1 of 1\n1 moved, 0 need a choice, 0 cannot move\n"
    assert versions(site) == [1, 9, 9]
    said = run(*MANY, "--from", "9", "--map", "of_before=requested", "--timers", "anew", "--reason", "back")
    assert (said.code, said.err.splitlines()[-1]) == (0, "2 moved, 0 need a choice, 0 cannot move")
    assert versions(site) == [1, 1, 1]
    last = site.engine.history(numbers[2])[-1]
    assert last.actor.startswith("operator:")
    assert json.loads(last.data) == {"from": 9, "reason": "back", "to": 1}
    assert run(*MANY, "--dry-run").err == "0 would move, 0 need a choice, 0 cannot move\n"


def test_only_those_that_are_asked_for_are_counted(run: Run, site: Site) -> None:
    applied(site, 2)
    for options, count in (
        (("--state", "requested"), 2),
        (("--state", "emailed"), 0),
        (("--subject", "customer:*"), 2),
        (("--subject", "customer"), 0),
        (("--older-than", "1h"), 0),
        (("--older-than", "0m"), 2),
        (("--from", "8"), 0),
    ):
        assert run(*MANY, *options, "--dry-run").err.splitlines()[-1].startswith(f"{count} would move, ")


def test_a_file_and_options_make_the_mapping(run: Run, site: Site, tmp_path: Path) -> None:
    (number,) = applied(site, 1)
    file = tmp_path / "mapping.toml"
    file.write_text(
        'workflow = "account_creation"\nfrom = [8, 9]\nto = 1\notherwise = "recompute"\n'
        '[effects]\naccount_creation = {cancel = "sent by post"}\n'
    )
    said = run(*MANY, "--mapping", str(file), "--timer", "expire@requested=anew", "--dry-run")
    assert "  timer expire in requested: begins now (1)\n" in said.out
    assert "  effect account_creation: cancelled: sent by post (1)\n" in said.out
    assert said.out.startswith("account_creation 9 → 1 ")
    said = run(*MANY, "--mapping", str(file), "--from", "9", "--reason", "why")
    assert said.code == 0
    assert "  timer expire in requested: recomputed (1)\n" in said.out
    assert '"1.0":"account_creation: cancelled: sent by post"' in site.engine.history(number)[-1].data


def test_one_instance_is_foretold_and_moved_by_a_mapping(run: Run, site: Site) -> None:
    (number,) = applied(site, 1)
    one = ("workflow", "migrate", str(number), "--to", "1")
    said = run(*one, "--timers", "keep", "--cancel", "account_creation=sent by post", "--dry-run")
    assert said.code == 0
    assert said.out.splitlines()[0] == f"instance {number} would run on version 1, in requested"
    assert said.out.splitlines()[1].startswith("  timer expire: keep, due ")
    assert said.out.splitlines()[2] == "  effect account_creation: cancelled: sent by post"
    assert versions(site) == [9]
    assert run(*one, "--state", "expired", "--dry-run").out.splitlines() == [
        f"instance {number} would run on version 1, in expired",
        "  timer expire: ends",
        "  effect account_creation: cancelled: nobody waits for 'sent' in state 'expired'",
    ]
    said = run(*one, "--state", "expired", "--reason", "why")
    assert (said.code, said.out) == (0, f"instance {number} runs on version 1, in expired\n")
    said = run(*one, "--state", "requested", "--reason", "why")
    assert said.code == 1
    assert "what has ended stays so" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("account_creation", "--to", "1"), 2, "Missing option '--reason'"),
        (("1", "--to", "1"), 2, "Missing option '--reason'"),
        (("0", "--to", "1", "--dry-run"), 2, "expected the number of an instance, got 0"),
        (("9" * 5000, "--to", "1", "--dry-run"), 2, "expected the number of an instance, got 9"),
        (("1", "--to", "1", "--from", "9", "--dry-run"), 2, "one instance is asked for"),
        (("1", "--to", "1", "--dry-run"), 1, "no procedure 1"),
        (("nothing", "--to", "1", "--dry-run"), 1, "No definition of workflow 'nothing' version 1 is loaded"),
        (("account_creation", "--to", "7", "--dry-run"), 1, "'account_creation' version 7 is loaded"),
        (("account_creation", "--to", "1", "--older-than", "3w", "--dry-run"), 2, "as in 30d, 12h or 90m, got '3w'"),
        (("account_creation", "--to", "1", "--map", "a", "--dry-run"), 2, "expected OLD=NEW, got 'a'"),
        (
            ("account_creation", "--to", "1", "--from", "9", "--timers", "x", "--dry-run"),
            1,
            "--timers: expected one of",
        ),
        (
            ("account_creation", "--to", "1", "--from", "9", "--map", "a=b", "--effect", "c=d", "--dry-run"),
            1,
            "tetsuzuki: the options: effect 'c' → 'd': version 1 has no effect 'd', only 'account_created', ",
        ),
        (
            ("account_invitation", "--to", "2", "--timer", "expire=never", "--dry-run"),
            1,
            "--timer expire: expected one of keep, recompute, anew, cancel, got 'never'",
        ),
        (
            ("account_invitation", "--to", "2", "--map", "a=emailed", "--dry-run"),
            1,
            "tetsuzuki: the options: state 'a': version 1 has none of this name, only 'activated', ",
        ),
        (
            ("account_invitation", "--to", "2", "--state", "emialed", "--dry-run"),
            1,
            "--state emialed: version 1 has none of this name, only activated, emailed, ",
        ),
        (("account_creation", "--to", "1", "--mapping", "none.toml", "--dry-run"), 1, "none.toml: cannot be read"),
    ],
)
@pytest.mark.usefixtures("begun")
def test_what_is_wrong_is_said_in_a_line(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    found = run("workflow", "migrate", *arguments)
    assert found.code == code
    assert said in found.err


def test_a_file_about_something_else_is_refused(run: Run, site: Site, tmp_path: Path) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text('workflow = "account_creation"\nfrom = 9\nto = 2\n')
    found = run(*MANY, "--mapping", str(file), "--dry-run")
    assert (found.code, "it is about account_creation 9 → 2, and account_creation → 1 was asked for" in found.err) == (
        1, True
    )  # fmt: skip
    file.write_text('workflow = "account_creation"\nfrom = 9\nto = 1\n')
    found = run(*MANY, "--mapping", str(file), "--from", "8", "--dry-run")
    assert "it says nothing of version 8" in found.err


def test_a_mapping_that_makes_no_sense_is_foretold_for_one_as_it_is_refused(
    run: Run, site: Site, tmp_path: Path
) -> None:
    (number,) = applied(site, 1, version=1)
    one = ("workflow", "migrate", str(number), "--to", "1", "--map", "nothing=nowhere")
    file = tmp_path / "mapping.toml"
    file.write_text(
        'workflow = "account_creation"\nfrom = 1\nto = 1\n[effects]\naccount_creation = "account_created"\n'
    )
    for options, where in (((), "the options"), (("--mapping", str(file)), f"{file}:1 and the options")):
        foretold, done = run(*one, *options, "--dry-run"), run(*one, *options, "--reason", "why")
        assert (foretold.code, foretold.err) == (done.code, done.err)
        assert foretold.code == 1
        assert f"tetsuzuki: {where}: state 'nothing' → 'nowhere': version 1 has no state" in foretold.err


@pytest.mark.parametrize("many", [True, False])
def test_a_state_that_no_definition_has_is_led_on_as_the_dry_run_advises(run: Run, site: Site, many: bool) -> None:
    invited(site)
    site.db.execute_sql("UPDATE instance SET state = 'of_before', version = 1")
    what = ("account_invitation", "--state", "of_before") if many else ("1",)
    asked = ("workflow", "migrate", *what, "--to", "2")
    advised = run(*asked, "--dry-run")
    assert advised.code == 1
    assert "version 2 has no state 'of_before'." in advised.out + advised.err
    led = run(*asked, "--map", "of_before=requested", "--dry-run")
    assert (led.code, " → requested" in led.out or ", in requested" in led.out) == (0, True)
    assert run(*asked, "--map", "of_before=requested", "--reason", "why").code == 0
    assert versions(site) == [2]

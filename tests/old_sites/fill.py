"""A site in use, on a database of its own: what `tests.old_sites.make` runs inside a checkout of an old commit.

It uses what that commit has, and so it must go on working with nothing newer. What the people of that site hold (mailed
links, passwords, the cookie of a session) is printed as JSON: a dump holds none of it (I11), and a test that opens the
dump needs it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.definition import Actor
from engine.operations.incidents import incidents
from engine.testing import Clock
from tests.kit.browser import PASSWORD, SUBDOMAIN
from tests.kit.members import member
from tests.kit.sites import CHEAP, SECRET
from tests.kit.world import NUMBER, STAFF_EMAIL, World, make_world
from web.assembly.settings import Settings
from web.assembly.site import Site, build
from workflows.account_invitation import InvitationInput
from workflows.business.records import Account, ChangeRequest, Customer, StaffMember


@contextmanager
def makes_sites(folder: Path) -> Iterator[Callable[..., Site]]:
    """What the fixture `make_site` gives, for use outside a test."""
    made: list[Site] = []

    def make(url: str, *, clock: Clock | None = None, mailer: None = None, **changes: Any) -> Site:
        options: dict[str, Any] = {
            "database_url": url,
            "base_url": "http://localhost",
            "var": folder / "var",
            "password_cost": CHEAP,
        }
        made.append(build(Settings(secret_key=SECRET, **(options | changes)), clock=clock))
        return made[-1]

    yield make
    for site in made:
        site.close()


def fill(url: str) -> dict[str, Any]:
    """Fill the database; what its people hold."""
    with TemporaryDirectory() as name, makes_sites(Path(name)) as make_site:
        clock = Clock()
        world = make_world(make_site, url, clock)
        return _left_behind(world, clock)


def _left_behind(world: World, clock: Clock) -> dict[str, Any]:
    """Let somebody be logged in and some mails wait, then say what there is."""
    engine = world.site.engine
    logged_in = member(world.app, world.accounts["editor"].email)
    admin, invited = world.accounts["admin"], InvitationInput("見本 待子", "machi@customer.example", "viewer")
    about = f"customer:{world.customer.id}"
    waiting = engine.start("account_invitation", about, Actor("account", str(admin.id)), invited).instance_id
    clock.forward(minutes=1)
    return {
        "clock": clock.now.isoformat(),
        "secret": SECRET.decode(),
        "password": PASSWORD,
        "subdomain": SUBDOMAIN,
        "number": NUMBER,
        "accounts": {role: account.email for role, account in world.accounts.items()},
        "staff": {"email": STAFF_EMAIL, "totp": world.secrets[STAFF_EMAIL]},
        "links": world.links,
        "set_up": world.set_up,
        "cookies": logged_in.cookies,
        "waiting": waiting,
        "requests": world.requests,
        "incidents": [one.ref for one in incidents(engine)],
        "states": {number: engine.look(number).state.name for number in _numbers(world.site)},
        "expire": (clock.now + timedelta(hours=24)).isoformat(),
        "counts": {model.__name__: model.select().count() for model in (Account, ChangeRequest, Customer, StaffMember)},
    }


def _numbers(site: Site) -> list[int]:
    with site.engine.store.reading() as unit:
        return [row[0] for row in unit.rows("SELECT id FROM instance ORDER BY id")]


if __name__ == "__main__":
    print(json.dumps(fill(sys.argv[1]), ensure_ascii=False, indent=1))

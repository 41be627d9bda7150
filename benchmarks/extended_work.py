"""The work that `benchmarks.extended_steps` counts: requests of customers that staff accept, on a site with plugins and
on one without. A program of its own, with the commands of `benchmarks.steady_work`:

- `open bare URL` or `open extended URL`: a site on that database, without plugins of ours or with one that has five
  listeners and three extensions at the point `accepting` of contract changes;
- `count accept N`: prepare N requests, say "ready", wait for a line, accept them, say "done", wait for a line.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import peewee as pw

import engine
from engine.definition import Refusal
from engine.delivery import Accepted, Delivery, Heard, Outcome
from engine.extension import Extension, ExtensionContext, ExtensionEffect
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.store.base import Record
from engine.testing import Clock
from engine.text import _
from tests.kit.contract_scenes import PLUGINS, account, anew, at, changed, contract, request, staff
from tests.kit.customers import customer
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of

LISTENERS = 5
_WARM = 3  # requests that are accepted before the first are counted
_CHEAP = (1, 8, 1)  # the lowest cost of Argon2id; no counted work hashes a password


class Points(Record):
    """The table of the plugin."""

    instance = pw.BigIntegerField(primary_key=True)
    about = pw.CharField(64)


class Ear:
    """A listener, which hears outside of the transition."""

    workflows = ("contract_change",)

    def hear(self, transition: Heard, key: str) -> Outcome:
        """See `Listener.hear`."""
        return Accepted()


def is_first(context: ExtensionContext) -> Refusal | None:
    """A guard that reads."""
    return Refusal("twice", _("受付済み")) if context.records.exists(Points, instance=context.instance_id) else None


def keep(context: ExtensionContext) -> None:
    """A write."""
    context.records.insert(Points, instance=context.instance_id, about=context.about)


def what_to_tell(context: ExtensionContext) -> Mapping[str, Any]:
    """Figures of an effect, of what the point tells."""
    return {"users": context.facts.after.users, "kind": context.facts.kind}


class Plugin:
    """Five listeners and three extensions."""

    @dataclass(frozen=True)
    class Config:
        pass

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        pass

    @hookimpl
    def register_listeners(self) -> Mapping[str, Ear]:
        return {f"ear_{number}": Ear() for number in range(LISTENERS)}

    @hookimpl
    def extend_workflows(self) -> Mapping[str, Extension]:
        at_accepting = partial(Extension, "contract_change", "accepting")
        return {
            "limit": at_accepting(guards=(is_first,)),
            "points": at_accepting(writes=(keep,)),
            "crm": at_accepting(effects=(ExtensionEffect("crm", "tell", what_to_tell),)),
        }

    @hookimpl
    def register_effect_handlers(self) -> Mapping[str, Plugin]:
        return {"crm": self}

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """See `EffectHandler.deliver`."""
        return Accepted()


def opened(kind: str, url: str) -> Site:
    """A site on a new database, whose clock stands still."""
    settings = Settings(
        secret_key=b"a secret of the benchmark, long enough", database_url=url, base_url="http://localhost",
        var=Path(os.environ["BENCHMARK_VAR"]), password_cost=_CHEAP, plugins=PLUGINS,
    )  # fmt: skip
    clock = Clock()
    at(clock, 2026, 4, 10, 12, 0)
    plugins = plugins_of(settings, extra=[("ours", Plugin)] if kind == "extended" else [])
    site = build(settings, clock=clock, plugins=plugins)
    site.db.create_tables([Points])
    return site


class Work:
    """Requests on a site, and a member of staff who accepts them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._by = staff()
        self._customers = 0
        for act in self.accept(_WARM):
            act()

    def accept(self, number: int) -> list[Callable[[], object]]:
        """Acceptances, ready to be done, and nothing in their way by chance."""
        found: list[Callable[[], object]] = []
        for asked in [self._request() for _one in range(number)]:
            decision = anew(self.site, asked)
            found.append(partial(self.site.engine.fire, asked, "accept", self._by, decision))
        if self.site.settings.database_url.startswith("sqlite"):
            self.site.db.execute_sql("PRAGMA wal_autocheckpoint = 0").fetchall()
            self.site.db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        gc.collect()
        gc.freeze()
        return found

    def _request(self) -> int:
        self._customers += 1
        of = customer(f"A{self._customers:08d}")
        on, by = contract(of), account(of, email=f"u{self._customers:06d}@customer.example")
        number = request(self.site, of, on, by, changed(on, options=("appsuite",)))
        self.site.engine.run_due()
        return number


def main() -> None:
    """Read commands until there are no more."""
    work: Work | None = None
    for line in sys.stdin:
        command, *rest = line.rstrip("\n").split("\t")
        if command == "open":
            if work is not None:
                work.site.close()
            work = Work(opened(*rest))
            print(f"opened {os.getpid()} {engine.__file__}", flush=True)
            continue
        assert work is not None, "open a site first"
        acts = work.accept(int(rest[1]))
        print("ready", flush=True)
        sys.stdin.readline()
        for act in acts:
            act()
        print("done", flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()

"""Keeps in the database what plugins declare: begins, changes and retires the procedures of schedules."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from engine import Engine
from engine.definition import SYSTEM_ACTOR
from engine.errors import EngineError, Refused
from workflows.ports.schedules import Declared
from workflows.schedule.inputs import Declaration
from workflows.schedule.records import ScheduleRecord
from workflows.schedule.workflow import SCHEDULE
from workflows.services import Services

log = logging.getLogger("tetsuzuki.schedules")


def keep_declared(engine: Engine, services: Services) -> None:
    """Begin what is new, change what was declared otherwise, and retire what its plugin declares no more.

    Once in each process, from its first heartbeat on until all of it has succeeded. What belongs to a plugin that is
    not wholly at work here stays as it is, and waits for it. Where several processes declare different things, as while
    one after another is upgraded, the one that began last has its way.
    """
    schedules = services.schedules
    if schedules.are_kept:
        return
    with engine.db.bound():
        kept = {record.name: record for record in ScheduleRecord.select()}
    at_work = schedules.plugins_at_work()
    done = [_is_kept(engine, name, declared, kept.get(name)) for name, declared in schedules.declared.items()]
    done += [
        _is_retired(engine, record)
        for name, record in kept.items()
        if name not in schedules.declared and record.plugin in at_work
    ]
    schedules.are_kept = all(done)


def _is_kept(engine: Engine, name: str, declared: Declared, record: ScheduleRecord | None) -> bool:
    wanted = Declaration(name, declared.plugin, declared.when, declared.missed)
    try:
        if record is None:
            engine.start(SCHEDULE.name, f"schedule:{name}", SYSTEM_ACTOR, wanted)
        elif _differs(record, {"plugin": wanted.plugin, "recurrence": wanted.recurrence, "missed": wanted.missed}):
            engine.fire(record.instance, "declare", SYSTEM_ACTOR, wanted)
    except Refused:
        return False  # another process was faster: the next heartbeat sees what it kept
    except EngineError as error:
        log.warning("schedule %s of plugin %s is not kept yet: %s", name, declared.plugin, error)
        return False
    return True


def _differs(record: ScheduleRecord, wanted: Mapping[str, str]) -> bool:
    return any(getattr(record, column) != value for column, value in wanted.items())


def _is_retired(engine: Engine, record: ScheduleRecord) -> bool:
    try:
        engine.fire(record.instance, "undeclare", SYSTEM_ACTOR)
    except EngineError as error:
        log.warning("schedule %s of plugin %s is not retired yet: %s", record.name, record.plugin, error)
        return False
    log.info("schedule %s is retired: plugin %s declares it no more", record.name, record.plugin)
    return True

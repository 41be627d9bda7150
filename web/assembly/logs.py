"""Logs: one line for each event, as text for people or as JSON for machines (LOG_FORMAT).

Secrets are removed here as well: the path of a mailed link is one (I11).
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_LINK = re.compile(r"(/[a-z]+/)[0-9a-z]{26,38}(?![0-9a-z])")  # as engine.runtime.links makes them
_ROW = re.compile(r"\n?DETAIL: .*")  # where PostgreSQL shows the row: it may be personal


def _without_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _ROW.sub("", _LINK.sub(r"\1…", value))
    return event


def set_up_logs(log_format: str, level: int = logging.INFO) -> None:
    """Send all logs to standard error, in the chosen format."""
    shared: list[Any] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _without_secrets,
    ]
    last = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("apscheduler", "peewee"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("transitions").setLevel(logging.ERROR)  # its warnings are refusals, which are answers

"""Logs: one line for each event, as text for people or as JSON for machines (LOG_FORMAT).

Secrets are removed here as well: the path of a mailed link is one (I11).
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from functools import cached_property
from typing import Any

_LINK = re.compile(r"(/[a-z]+/)[0-9a-z]{26,38}(?![0-9a-z])")  # as engine.runtime.links makes them
_ROW = re.compile(r"\n?DETAIL: .*")  # where PostgreSQL shows the row: it may be personal


def _without_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _ROW.sub("", _LINK.sub(r"\1…", value))
    return event


class _Lines(logging.Formatter):
    """The chosen format. structlog makes its lines, and is imported with the first: most commands log none."""

    def __init__(self, log_format: str) -> None:
        super().__init__()
        self._log_format = log_format

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        return self._made.format(record)

    @cached_property
    def _made(self) -> logging.Formatter:
        import structlog

        last = (
            structlog.processors.JSONRenderer(ensure_ascii=False)
            if self._log_format == "json"
            else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        )
        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.ExtraAdder(),
                structlog.stdlib.add_logger_name,
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                _without_secrets,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )


def set_up_logs(log_format: str, level: int = logging.INFO) -> None:
    """Send all logs to standard error, in the chosen format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(log_format))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("apscheduler", "peewee"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("transitions").setLevel(logging.ERROR)  # its warnings are refusals, which are answers

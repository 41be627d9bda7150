"""The site behind gunicorn: one process, many threads, timers and outbox beside the pages."""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from web.app import create_app
from web.bootstrap import Site


class _Log(Logger):
    """gunicorn's own messages go where all others go, so that what is secret in them is taken out there as well."""

    def setup(self, cfg: Any) -> None:
        """Leave handlers and formats to the root logger."""
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(getattr(logging, cfg.loglevel.upper()))
        self.access_log.disabled = True


class Server(BaseApplication):
    """Serves one site until it is told to stop. SIGTERM finishes what is being answered and delivered."""

    def __init__(self, site: Site, host: str, port: int, *, quiet: bool = False) -> None:
        self.site = site
        shown = f"[{host}]" if ":" in host else host
        self._bind = f"{shown}:{port}"
        self._quiet = quiet
        super().__init__()

    def load_config(self) -> None:
        """One worker: on SQLite one process is the writer, and APScheduler must run once."""
        for name, value in {
            "bind": self._bind,
            "workers": 1,
            "worker_class": "gthread",
            "threads": self.site.settings.threads,
            "timeout": 120,
            "graceful_timeout": 30,
            "keepalive": 5,
            "limit_request_line": 4094,
            "loglevel": "warning" if self._quiet else "info",
            "logger_class": _Log,
            "accesslog": None,  # a path may be a mailed link, and that is a secret
            "post_worker_init": self._start,
            "worker_exit": self._stop,
            "proc_name": "tetsuzuki",
            "control_socket_disable": True,
        }.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """The pages."""
        return create_app(self.site)

    def _start(self, worker: Any) -> None:
        self.site.heartbeat.start()

    def _stop(self, server: Any, worker: Any) -> None:
        self.site.heartbeat.stop()
        self.site.close()


def run(site: Site, host: str, port: int, *, quiet: bool = False) -> None:
    """Serve until SIGTERM or SIGINT. The database is opened anew in the process that serves."""
    site.close_database()
    Server(site, host, port, quiet=quiet).run()

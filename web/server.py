"""The site behind gunicorn: one process, many threads, timers and outbox beside the pages."""

from __future__ import annotations

import logging
import signal
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from web.app import create_app
from web.bootstrap import Site
from web.stopping import NUMBERS, Stop

_LAST_ANSWERS = 30  # seconds for requests that are being answered when it is told to stop
_AS_LONG_AS_IT_TAKES = 86_400  # seconds after which the arbiter kills its worker: a delivery is not cut off before


class _Log(Logger):
    """gunicorn's own messages go where all others go, so that what is secret in them is taken out there as well."""

    def setup(self, cfg: Any) -> None:
        """Leave handlers and formats to the root logger."""
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(getattr(logging, cfg.loglevel.upper()))
        self.access_log.disabled = True


class Server(BaseApplication):
    """Serves one site until it is told to stop. SIGTERM finishes what is being answered and delivered.

    gunicorn's handlers replace those of `stop` as its arbiter starts, and again in the worker that it forks. What comes
    just before the one or the other is asked for afterwards.
    """

    def __init__(self, site: Site, host: str, port: int, stop: Stop, *, quiet: bool = False) -> None:
        self.site = site
        self._told = stop
        self._signals_before_the_fork: Any = None
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
            "graceful_timeout": _AS_LONG_AS_IT_TAKES,
            "keepalive": 5,
            "limit_request_line": 4094,
            "loglevel": "warning" if self._quiet else "info",
            "logger_class": _Log,
            "accesslog": None,  # a path may be a mailed link, and that is a secret
            "when_ready": self._ready,
            "post_fork": self._forked,
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

    def _ready(self, arbiter: Any) -> None:
        self._told.check()

    def _forked(self, arbiter: Any, worker: Any) -> None:
        self._signals_before_the_fork = arbiter.SIG_QUEUE  # which the arbiter's handler fills in the worker as well
        worker.cfg.set("graceful_timeout", _LAST_ANSWERS)

    def _start(self, worker: Any) -> None:
        for number in (signal.SIGINT, signal.SIGQUIT):  # gunicorn's handler of these would raise SystemExit anywhere
            signal.signal(number, worker.handle_exit)
        while not self._signals_before_the_fork.empty():
            if self._signals_before_the_fork.get() in (*NUMBERS, signal.SIGQUIT):
                worker.alive = False
        if worker.alive:
            self.site.heartbeat.start()

    def _stop(self, server: Any, worker: Any) -> None:
        self.site.heartbeat.stop()
        self.site.close()


def run(site: Site, host: str, port: int, stop: Stop, *, quiet: bool = False) -> None:
    """Serve until SIGTERM or SIGINT. The database is opened anew in the process that serves."""
    site.close_database()
    stop.check()
    Server(site, host, port, stop, quiet=quiet).run()

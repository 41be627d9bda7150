"""The site, served: one thread that waits for all clients, others that answer, timers and outbox beside, in this
process or in one of their own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import ConfigurationError
from web.app import create_app
from web.assembly.settling import settle_to_serve
from web.assembly.site import Site
from web.assembly.stopping import Stop
from web.serving import Server

log = logging.getLogger("tetsuzuki.http")


@contextmanager
def _at_work(site: Site) -> Iterator[None]:
    """Timers and outbox are at work inside the block; in the end the site is closed."""
    beside = site.worker_process
    site.heartbeat.start()
    if beside is not None:
        beside.start()
    try:
        yield
    finally:
        if beside is not None:
            beside.stop()
        site.heartbeat.stop()
        site.close()


def run(site: Site, host: str, port: int, stop: Stop) -> None:
    """Serve until `stop`; then finish the answers and deliveries under way.

    Raises SystemExit with 1 where the server ended by itself, so that a supervisor starts the process anew.
    """
    stop.check()
    site.close_database()  # of this thread: each that answers opens its own
    try:
        server = Server(create_app(site), host, port, threads=site.settings.threads)
    except OSError as error:  # it was free when the command looked; the site is built since
        site.close()
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from error
    settle_to_serve()
    with _at_work(site):
        server.start()
        try:
            log.info("listening on %s, port %d", host, port)
            stop.wait()
        finally:
            server.stop()
    if server.failed:
        raise SystemExit(1)

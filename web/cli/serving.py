"""`tetsuzuki demo`, `serve` and `worker`."""

from __future__ import annotations

import logging
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from engine.errors import ConfigurationError
from engine.store.opening import is_shared
from web.assembly import conditions
from web.assembly.logs import set_up_logs
from web.assembly.settings import read
from web.assembly.settling import settle_to_serve
from web.assembly.site import Site, build, require_mailer
from web.assembly.stopping import heeded
from web.assembly.worker_process import OPTION, Line, WorkerProcess

_WELCOME = """
  {name} — demo

  Open       {address}/
  Mailbox    {address}/mailbox/   (every mail that the site sends lands here)

  Try first  press サポートサイトのアカウントを持っていない方はこちら and apply with
             お客様番号   A01234567
             サブドメイン sample
             then open the mail in the mailbox, press its link, and log in.

  Or log in  サブドメイン   {subdomain}
             メールアドレス {email}
             パスワード     {password}

  Staff      {address}/staff/
             {staff_email}, password {staff_password}; the page itself shows the
             code, which changes every 30 seconds. All of this is public: a demo is for invented data.

  Data is kept in {var}/. Stop with Ctrl-C.
"""


def _check_port(host: str, port: int, option: str = "--port") -> None:
    """Fail at once where the address is taken, rather than after everything else was started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another {option}"
            ) from error


def address_of(host: str, port: int) -> str:
    """The URL of a site that listens there; an IPv6 address is in brackets (RFC 3986 §3.2.2)."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound here; nobody can open these as they are
    open_at = everywhere.get(host, host)
    return f"http://[{open_at}]:{port}" if ":" in open_at else f"http://{open_at}:{port}"


def warn(site: Site) -> None:
    """Log what works in part only: plugins that are not at work, and a URL without https."""
    for failure in site.plugins.failures:
        logging.getLogger("tetsuzuki.plugins").error("%s", failure)
    for check in (*conditions.chosen(site), conditions.address(site.settings)):
        if check.state != "ok":
            logging.getLogger("tetsuzuki").warning("%s: %s", check.name, check.detail)


def _listening(host_default: str) -> Any:
    def decorate(command: Any) -> Any:
        command = click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))(command)
        return click.option("--host", default=host_default, show_default=True, help="Address to listen on.")(command)

    return decorate


@click.command(epilog="Example: tetsuzuki demo --port 8080")
@_listening("127.0.0.1")
@click.option("--var", default=Path("var/demo"), show_default=True, type=click.Path(path_type=Path, file_okay=False))
def demo(host: str, port: int, var: Path) -> None:
    """The site with invented customers, and a mailbox instead of real mails."""
    from web.demo import accounts, staff
    from web.demo.content import demo_settings, fill
    from web.server import run

    _check_port(host, port)
    address = address_of(host, port)
    settings = demo_settings(var, address)
    set_up_logs(settings.log_format, logging.WARNING)
    with heeded() as stop:
        site = build(settings, meanwhile=stop.check)
        warn(site)
        require_mailer(site)
        fill(site)
        stop.check()
        click.echo(
            _WELCOME.format(
                name=settings.site_name,
                address=address,
                var=var,
                subdomain=accounts.SUBDOMAIN,
                email=accounts.EMAIL,
                password=accounts.PASSWORD,
                staff_email=staff.EMAIL,
                staff_password=staff.PASSWORD,
            )
        )
        sys.stdout.flush()
        run(site, host, port, stop)


@click.command(epilog="Example: TETSUZUKI_SMTP_URL=smtp://127.0.0.1:25 tetsuzuki serve --port 8000")
@_listening("127.0.0.1")
@click.option("--no-worker", is_flag=True, help="Pages alone: `tetsuzuki worker` elsewhere fires timers and delivers.")
def serve(host: str, port: int, no_worker: bool) -> None:
    """The site: pages, timers and outbox. On PostgreSQL the last two are a process of their own, which this one keeps
    at work, and any number of others may share the work."""
    from web.server import run

    _check_port(host, port)
    settings = read()
    set_up_logs(settings.log_format)
    with heeded() as stop:
        apart = not no_worker and is_shared(settings.database_url)
        site = build(settings, works=not no_worker and not apart, meanwhile=stop.check)
        if apart:
            site = replace(site, worker_process=WorkerProcess((*_command(), "worker")))
        warn(site)
        require_mailer(site)
        run(site, host, port, stop)


def _command() -> list[str]:
    """What this process was begun with, before the name of its command."""
    return sys.orig_argv[: sys.orig_argv.index("serve")]


def _address(text: str) -> tuple[str, int]:
    """The host and port of `HOST:PORT` or `[::1]:PORT`."""
    host, _, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise click.BadParameter(f"expected HOST:PORT, as in 127.0.0.1:9100, got {text!r}")
    return host, int(port)


@click.command(epilog="Example: tetsuzuki worker --metrics 127.0.0.1:9100")
@click.option(
    "--metrics",
    type=_address,
    metavar="HOST:PORT",
    help="Where to answer /healthz, /readyz and, with a metrics_token, /metrics.",
)
@click.option(OPTION, "line", type=int, hidden=True)
def worker(metrics: tuple[str, int] | None, line: int | None) -> None:
    """Timers and outbox alone, without pages. Stops on SIGTERM when what it delivers is delivered."""
    from web.http.probes import monitored

    if metrics is not None:
        _check_port(*metrics, option="--metrics")
    settings = read()
    set_up_logs(settings.log_format)
    with heeded() as stop:
        pages = Line(line, stop) if line is not None else None
        site = build(settings, meanwhile=stop.check)
        if pages is not None:
            pages.metrics = site.metrics
        warn(site)
        require_mailer(site)
        stop.check()
        settle_to_serve()
        with monitored(site, metrics):
            site.heartbeat.start()
            logging.getLogger("tetsuzuki").info("worker %s is at work", site.engine.worker)
            stop.wait()
            site.heartbeat.stop()
            site.close()

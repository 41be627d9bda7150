"""Processes that are at work at once: forked from one that has imported the site (`multiprocessing`'s fork server).

An interpreter that imports the site takes a second of a core, and the tests start some hundred of them; what they try
begins after that. Each is a process of its own, with its own connections, and dies by SIGKILL as any other. A test of
how the product begins needs a new interpreter.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.kit.waiting import PATIENCE

_nursery = get_context("forkserver")
# What any of them imports, also late.
_nursery.set_forkserver_preload(
    [
        *(
            "tests.trials.collecting_child",
            "tests.trials.crash_child",
            "tests.trials.import_child",
            "tests.trials.mail_child",
            "tests.trials.money_child",
            "tests.trials.race_child",
            "engine.workers.several_machines",
            "web.command",
            "web.cli.serving",
            "web.cli.sites",
            "web.server",
        ),
        *("plugins.bank_transfer", "plugins.card_stripe", "plugins.demo_card", "plugins.demo_usage"),
        *("plugins.dev_mailbox", "plugins.direct_debit", "plugins.faq", "plugins.http_usage", "plugins.ledger"),
        *("plugins.notice_email", "plugins.notice_site", "plugins.smtp_mailer"),
    ]
)


class Newborn:
    """`main(*arguments)` in a process of its own, spoken to as `subprocess.Popen` is: bytes through pipes.

    `errors` is the file that its standard error is appended to.
    """

    def __init__(self, main: Callable[..., object], *arguments: Any, errors: Path) -> None:
        its_stdin, to_it = _nursery.Pipe(duplex=False)
        from_it, its_stdout = _nursery.Pipe(duplex=False)
        errors.touch()
        self._process = _nursery.Process(
            target=_live, args=(its_stdin, its_stdout, errors, main, arguments), daemon=True
        )
        self._process.start()
        its_stdin.close()
        its_stdout.close()
        self.stdin = os.fdopen(os.dup(to_it.fileno()), "wb")
        self.stdout = os.fdopen(os.dup(from_it.fileno()), "rb")
        to_it.close()
        from_it.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Close its pipes, which is how it is told to end, and wait for that."""
        self.stdin.close()
        self.wait()
        self.stdout.close()

    @property
    def returncode(self) -> int | None:
        """See `Popen.returncode`."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """See `Popen.poll`."""
        return self._process.exitcode

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def wait(self, timeout: float | None = None) -> int:
        """See `Popen.wait`. Raises `subprocess.TimeoutExpired`."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return code


def _live(stdin: Connection, stdout: Connection, errors: Path, main: Callable[..., object], given: Any) -> None:
    """Take the pipes for the standard streams, as a command has them."""
    with errors.open("ab") as file:
        for number, descriptor in enumerate((stdin.fileno(), stdout.fileno(), file.fileno())):
            os.dup2(descriptor, number)
    stdin.close()
    stdout.close()
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  (all three for as long as it lives)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    main(*given)


def killed(main: Callable[..., object], *arguments: Any, errors: Path) -> None:
    """Call `main`, which kills itself by SIGKILL, in a process of its own. Fails where it ends otherwise."""
    with Newborn(main, *arguments, errors=errors) as child:
        code = child.wait(PATIENCE)
    assert code == -signal.SIGKILL, errors.read_text(errors="replace")


def begun(*arguments: str, settings: Mapping[str, str], folder: Path, errors: Path) -> Newborn:
    """A command of `tetsuzuki` in a process of its own, in `folder`. `settings` are named without TETSUZUKI_."""
    return Newborn(_command, arguments, dict(settings), folder, errors=errors)


def _command(arguments: tuple[str, ...], settings: Mapping[str, str], folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith("TETSUZUKI_")]:
        del os.environ[name]
    os.environ |= {f"TETSUZUKI_{name}": value for name, value in settings.items()}
    os.chdir(folder)
    sys.argv = ["tetsuzuki", *arguments]
    from web.command import main

    main()

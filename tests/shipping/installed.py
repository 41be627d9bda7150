"""The product as a stranger has it: the wheel in an environment that holds the locked requirements and nothing else."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from release.source import ROOT
from tests.kit.waiting import until
from tests.kit.wire import Wire
from tests.shipping.documented import commands

WHEELS = ROOT / ".venv" / "wheels"

# Where pip finds packages: as files, which `make` has put there. It need not compile what is thrown away soon.
PIP = {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": str(WHEELS),
    "PIP_COMPILE": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


@dataclass(frozen=True)
class Installed:
    """`prefix` is the environment, which README.md has under /opt/tetsuzuki."""

    prefix: Path

    def environ(self, **settings: str) -> dict[str, str]:
        """What a stranger has set. Of this process nothing is in it, so that nothing here can help the product."""
        base = {"PATH": f"{self.prefix.parent / 'python'}:/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
        return {**base, **PIP, **{f"TETSUZUKI_{name}": value for name, value in settings.items()}}

    def shell(self, lines: Sequence[str], folder: Path) -> str:
        """Run documented commands in `folder`; what they print."""
        script = "set -e\n" + "\n".join(lines).replace("/opt/tetsuzuki", shlex.quote(str(self.prefix)))
        return _said(["sh", "-c", script], folder, self.environ())

    def run(self, *arguments: str, folder: Path, **settings: str) -> str:
        """A command of `tetsuzuki` that ends well; what it prints."""
        return _said([str(self.prefix / "bin" / "tetsuzuki"), *arguments], folder, self.environ(**settings))

    def copy(self, folder: Path) -> Installed:
        """Another environment with the same in it, to which something may be added."""
        shutil.copytree(self.prefix.parent, folder, symlinks=True, copy_function=os.link)
        for script in (folder / self.prefix.name / "bin").iterdir():
            if not script.is_symlink():
                text = script.read_bytes().replace(bytes(self.prefix), bytes(folder / self.prefix.name))
                script.unlink()
                script.write_bytes(text)
                script.chmod(0o755)
        return Installed(folder / self.prefix.name)

    @contextmanager
    def running(self, *arguments: str, folder: Path, answers: int, **settings: str) -> Iterator[None]:
        """A command of `tetsuzuki` that serves: ready at the port `answers`, and ended by SIGTERM with 0."""
        log = folder / f"{arguments[0]}.log"
        with log.open("wb") as written:
            process = subprocess.Popen(
                [str(self.prefix / "bin" / "tetsuzuki"), *arguments],
                cwd=folder,
                env=self.environ(**settings),
                stdout=written,
                stderr=written,
            )

        asked = Wire(f"http://127.0.0.1:{answers}")

        def ready() -> bool:
            assert process.poll() is None, log.read_text()
            with suppress(OSError):
                return bool(asked.get("/readyz").status_code == 200)
            return False

        try:
            until(ready, f"`tetsuzuki {arguments[0]}` to be ready", 120)
            yield
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()
        assert "Traceback" not in log.read_text()


def install(folder: Path, dist: Path) -> None:
    """Follow README.md's section 'The wheel' in the folder `dist`; what the commands printed is kept beside."""
    assert WHEELS.is_dir(), f"{WHEELS} is not there: `make .venv/dev` brings it"
    (folder / "python").mkdir()
    (folder / "python" / "python3").symlink_to(sys._base_executable)  # type: ignore[attr-defined]
    (folder / "said").write_text(Installed(folder / "tetsuzuki").shell(commands("The wheel"), dist), encoding="utf-8")


def _said(command: Sequence[str], folder: Path, environ: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout
    return done.stdout

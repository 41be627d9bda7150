"""A root file system that is thrown away: this machine's programs, read-only, and a Python and files of its own.

Mounts, processes and (where asked for) the network are those of a namespace, so they end with the command that runs in
it. Root, `unshare`, `chroot` and `setpriv` are needed; `missing()` says what is not there.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from tests.kit.waiting import until
from tests.shipping.installed import PIP, WHEELS

Done = subprocess.CompletedProcess[str]

_FOLDERS = (
    *("dev", "etc/systemd/system", "home", "opt", "proc", "root"),
    *("run", "srv", "tmp", "usr", "var/lib", "var/tmp", "wheels"),
)
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\n",
    "etc/gshadow": "root:*::\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}
_COPIES = ("etc/login.defs", "etc/ld.so.cache", "etc/ld.so.conf", "etc/localtime", "etc/ssl")
_SYSTEM = [
    path
    for path in (
        *(Path(above, name) for above in ("/usr", "/") for name in ("bin", "sbin", "lib", "lib32", "lib64", "share")),
        *(Path(prefix) for prefix in {sys.base_prefix} - {"/usr"}),
    )
    if path.is_dir() and not path.is_symlink() and path != Path("/share")
]
_DEVICES = ("null", "zero", "random", "urandom")
PATH = "/image/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
_LOOPBACK_UP = (
    "import fcntl, socket, struct; "
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 1))"  # SIOCSIFFLAGS, IFF_UP
)


def missing() -> str:
    """What this machine lacks for a root of one's own; "" where nothing is missing."""
    if os.geteuid() != 0:
        return "root"
    for tool in ("unshare", "chroot", "setpriv", "nsenter", "useradd"):
        if shutil.which(tool) is None:
            return tool
    tried = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"], capture_output=True)
    return "" if tried.returncode == 0 else "the permission to make namespaces"


_MISSING = missing()
in_a_root = pytest.mark.skipif(
    _MISSING != "", reason=f"not run: lines of Dockerfile, compose.yaml and units, for which {_MISSING} is needed"
)


@dataclass(frozen=True)
class Root:
    """The root file system in `folder`, which is made by `new` or `fork`."""

    folder: Path

    @classmethod
    def new(cls, folder: Path) -> Root:
        """An image of Debian with a Python: `python3` and `pip` are on its path, as in the official images."""
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True)
        for name in ("tmp", "var/tmp"):
            (folder / name).chmod(0o1777)
        for name, text in _FILES.items():
            (folder / name).write_text(text)
        for name in _COPIES:
            source = Path("/", name)
            if source.exists():
                copy = shutil.copytree if source.is_dir() else shutil.copy
                copy(source, folder / name)
        for name in ("bin", "lib", "lib64", "sbin"):
            if Path("/", name).is_symlink():
                (folder / name).symlink_to(Path("/", name).readlink())
        made = cls(folder)
        made.run([f"{sys._base_executable} -m venv --without-pip /image"])  # type: ignore[attr-defined]
        made._bring_pip()
        return made

    def fork(self, folder: Path) -> Root:
        """Another one that begins as this one is. Programs replace files and do not write into them, so links do."""
        subprocess.run(["cp", "--archive", "--link", f"{self.folder}/.", str(folder)], check=True)
        return Root(folder)

    def command(
        self,
        script: str,
        *,
        folder: str = "/",
        user: str = "root",
        environ: Mapping[str, str] | None = None,
        read_only: bool = False,
        writable: Sequence[str] = (),
        in_memory: Sequence[str] = (),
        bound: Sequence[Path] = (),
        own_network: bool = False,
    ) -> tuple[list[str], dict[str, str]]:
        """The command that runs a shell script in here, and its environment. The script's shell becomes process 1.

        Of a root that is `read_only`, the folders `writable` are not; `in_memory` are empty folders for everybody.
        `bound` are paths of the machine that show under the same names. A `user` other than root has no capabilities
        and gets none.
        """
        mounts = [
            "set -e",
            f"cd {shlex.quote(str(self.folder))}",
            "mount --bind . .",
            f"cd {shlex.quote(str(self.folder))}",
            *(line for path in _SYSTEM for line in _shown(path)),
            "mount -t proc proc proc",
            "mount -t tmpfs tmpfs dev && mkdir dev/shm && ln -s /proc/self/fd dev/fd",
            *(f"touch dev/{name} && mount --bind /dev/{name} dev/{name}" for name in _DEVICES),
            f"mount --bind {shlex.quote(str(WHEELS))} wheels",
            *(line for path in bound for line in _shown(path)),
            *(f"mount --bind .{path} .{path}" for path in writable),
            *(["mount -o remount,bind,ro ."] if read_only else []),
            *(f"mount -t tmpfs -o mode=1777 tmpfs .{path}" for path in in_memory),
            *([f"{shlex.quote(sys.executable)} -c {shlex.quote(_LOOPBACK_UP)}"] if own_network else []),
            f"exec chroot . {_as(user)} sh -c {shlex.quote(f'cd {shlex.quote(folder)} && {script}')}",
        ]
        namespaces = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
        command = ["unshare", *namespaces, *(["--net"] if own_network else []), "sh", "-c", "\n".join(mounts)]
        given = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **PIP, "PIP_FIND_LINKS": "/wheels"}
        return command, {**given, **(environ or {})}

    def run(self, lines: Sequence[str], folder: str = "/", user: str = "root", **environ: str) -> str:
        """Run lines of a shell that end well; what they print."""
        script = "set -e\n" + "\n".join(lines)
        command, given = self.command(f"sh -c {shlex.quote(script)}", folder=folder, user=user, environ=environ)
        done = subprocess.run(
            command, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout

    @contextmanager
    def serving(self, script: str, log: Path, **options: Any) -> Iterator[Callable[..., Done]]:
        """Run a script that serves, in a network of its own and with `command`'s options; it must end well at SIGTERM.

        What is given runs commands beside it, once it listens. It is process 1 there, and what it says is in `log`.
        """
        command, given = self.command(script, own_network=True, **options)
        with log.open("wb") as written:
            process = subprocess.Popen(command, env=given, stdout=written, stderr=written)

        def alive() -> bool:
            assert process.poll() is None, log.read_text()
            return True

        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

        def run(*arguments: str) -> Done:
            inside = ["nsenter", "--target", str(first), "--mount", "--net", "--pid", "--root", "--wd=/"]
            return subprocess.run([*inside, *arguments], env={"PATH": PATH}, capture_output=True, text=True, timeout=60)

        try:
            until(lambda: alive() and children.read_text(), "the first process")
            first = int(children.read_text())
            sockets = Path(f"/proc/{first}/net/tcp")
            until(lambda: alive() and " 0A " in sockets.read_text(), f"a socket that listens: {script}", 120)
            yield run
            os.kill(first, signal.SIGTERM)
            assert process.wait(120) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()
        assert "Traceback" not in log.read_text()

    def _bring_pip(self) -> None:
        """Copy this environment's pip, because ensurepip takes longer than all that is installed with it."""
        (packages,) = (self.folder / "image" / "lib").glob("python*/site-packages")
        pip = distribution("pip")
        for file in pip.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(pip.locate_file(file)), packages / file)
        script = self.folder / "image" / "bin" / "pip"
        script.write_text('#!/bin/sh\nexec /image/bin/python3 -m pip "$@"\n')
        script.chmod(0o755)


def _shown(path: Path) -> list[str]:
    """Lines that show a path of the machine, read-only, under the same name."""
    outside, inside = shlex.quote(str(path)), shlex.quote(f".{path}")
    return [f"mkdir -p {inside}", f"mount --rbind {outside} {inside}", f"mount -o remount,bind,ro {inside}"]


def _as(user: str) -> str:
    if user == "root":
        return ""
    return f"setpriv --reuid={user} --regid={user} --init-groups --bounding-set=-all --inh-caps=-all --no-new-privs"

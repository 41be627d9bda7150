"""The units of systemd, installed by README.md's commands in a root that is thrown away."""

from __future__ import annotations

import configparser
import re
import shutil
from pathlib import Path

import pytest

from release.source import ROOT
from tests.kit.scale import in_full
from tests.shipping.dockerfile import Image
from tests.shipping.documented import commands
from tests.shipping.throw_away_root import Root, in_a_root

UNITS = sorted(path.name for path in (ROOT / "systemd").iterdir())

with_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None or shutil.which("systemctl") is None,
    reason="systemd-analyze and systemctl are needed: the units were not verified",
)


@pytest.fixture(scope="module")
def machine(image: Image, dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A machine whose operator has followed 'The wheel' and then 'A service of systemd', with settings as they are."""
    root = image.root.fork(tmp_path_factory.mktemp("machine"))
    root.folder.chmod(0o755)
    root.run(["userdel --remove tetsuzuki", "ln -s /image /opt/tetsuzuki"])
    shutil.copytree(dist, root.folder / "srv" / "dist")
    said = root.run(commands("A service of systemd"), "/srv/dist", EDITOR="true", SYSTEMD_OFFLINE="1")
    assert "Created symlink" in said
    return root


@in_a_root
@with_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_wrong_with_a_unit(unit: str, machine: Root) -> None:
    (machine.folder / "tmp" / unit).write_bytes((ROOT / "systemd" / unit).read_bytes())
    assert machine.run([f"systemd-analyze verify --man=no /tmp/{unit}"]) == ""


@in_a_root
@with_systemd
@in_full
def test_the_installed_service_answers_with_what_its_unit_lets_it_write(machine: Root, tmp_path: Path) -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(machine.folder / "etc/systemd/system/tetsuzuki.service")
    service = unit["Service"]
    assert service["ProtectSystem"] == "strict"
    with machine.serving(
        f"exec {service['ExecStart']}",
        tmp_path / "log",
        folder=service["WorkingDirectory"],
        user=service["User"],
        environ=dict([service["Environment"].split("=", 1)]),
        read_only=True,
        writable=service["ReadWritePaths"].split(),
        in_memory=["/tmp"],
    ) as run:
        asked = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8000/healthz').read())"
        assert "ok" in run("python3", "-c", asked).stdout
        assert run("cat", "/etc/tetsuzuki/tetsuzuki.toml").returncode == 0
        owned = run("stat", "--format=%U %a", "/etc/tetsuzuki/tetsuzuki.toml", "/var/lib/tetsuzuki/var/tetsuzuki.db")
        assert re.fullmatch(r"root 640\ntetsuzuki \d+\n", owned.stdout)

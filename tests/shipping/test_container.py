"""Dockerfile and compose.yaml: their lines run as written, in roots that are thrown away, because no engine is needed
for that. What only an engine shows (images of registries, networks, volumes) is not shown here."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from ruamel.yaml import YAML

from release.source import ROOT, setting
from tests.kit.scale import in_full
from tests.kit.waiting import until
from tests.shipping.dockerfile import Image, build, context, instructions
from tests.shipping.documented import section
from tests.shipping.throw_away_root import in_a_root
from web.cli.skeleton import write_package

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
FULL_VERSION = re.compile(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+")

SECRETS = {
    "SECRET_KEY": "a key of the tests, long enough for everybody",
    "POSTGRES_PASSWORD": "unused",
    "SMTP_URL": "smtp://127.0.0.1:25",
    "BASE_URL": "https://support.example.jp",
    "MAIL_FROM": "support@example.jp",
}


@in_a_root
def test_the_lines_of_the_dockerfile_install_the_site_alone(image: Image) -> None:
    said = image.root.run(["tetsuzuki --version", "python3 -c 'import engine; print(engine.__file__)'"], image.folder)
    version, file = said.splitlines()
    assert version == f"tetsuzuki {setting('metadata', 'version')}"
    assert Path(file).is_relative_to("/image/lib")
    assert image.root.run(["pip check"]).strip() == "No broken requirements found."
    assert not list(image.root.folder.rglob("test_house.py"))


@in_a_root
def test_an_image_holds_no_source_beside_what_is_installed(image: Image) -> None:
    folders = {path.parent for path in image.root.folder.rglob("server.py") if path.parent.name == "web"}
    assert [path.parent.name for path in folders] == ["site-packages"]


def test_a_build_gets_the_product_and_no_secret(tmp_path: Path) -> None:
    sent = set(context())
    assert {"setup.cfg", "requirements/run.txt", "web/static/site.css", "workflows/released.json"} <= sent
    assert {name.split("/")[0] for name in sent} == {
        *("engine", "workflows", "plugins", "web", "requirements"),
        *("setup.cfg", "pyproject.toml", "README.md", "LICENSE"),
    }


@in_a_root
@pytest.mark.parametrize("service", ["pages", pytest.param("worker", marks=in_full)])
def test_a_service_of_compose_gets_healthy_without_writing_a_file_and_ends_on_sigterm(
    service: str, image: Image, postgres_url: str, tmp_path: Path
) -> None:
    """As compose.yaml has it, but for the address of its database, and for the init process before it: what is number 2
    there is number 1 here, which is harder to end."""
    asked = COMPOSE["services"][service]
    kind, *check = asked["healthcheck"]["test"]
    assert kind == "CMD"
    environ = {
        name: re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: SECRETS[found[1]], value)
        for name, value in asked["environment"].items()
    }
    socket = Path(dict(parse_qsl(urlsplit(postgres_url).query))["host"])
    socket.chmod(0o711)  # the database's folder, which root alone may pass otherwise
    with image.root.serving(
        shlex.join(["exec", *asked["command"]]),
        tmp_path / "log",
        folder=image.folder,
        user=image.user,
        environ={**environ, "TETSUZUKI_DATABASE_URL": postgres_url},
        read_only=asked["read_only"],
        in_memory=asked["tmpfs"],
        bound=[socket],
    ) as run:
        until(lambda: run(*check).returncode == 0, f"{service} to be healthy", 60)
        assert "Read-only file system" in run("touch", "/var/lib/tetsuzuki/file").stderr
        status = run("cat", "/proc/1/status").stdout
        assert re.search(r"^CapEff:\s0+$", status, re.MULTILINE)
        assert not re.search(r"^Uid:\s0", status, re.MULTILINE)


def test_compose_yaml_is_valid() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("service", sorted(COMPOSE["services"]))
def test_a_service_of_compose_writes_nowhere_and_may_nothing(service: str) -> None:
    asked = COMPOSE["services"][service]
    assert asked["read_only"] is True
    assert asked["cap_drop"] == ["ALL"]
    assert "cap_add" not in asked
    assert "privileged" not in asked
    assert asked["security_opt"] == ["no-new-privileges:true"]
    assert "build" in asked or FULL_VERSION.fullmatch(asked["image"]), asked["image"]


def test_the_images_have_full_versions_and_the_python_of_the_tests() -> None:
    (base,) = {rest.split()[0] for word, rest in instructions(DOCKERFILE) if word == "FROM"} - {"base"}
    assert FULL_VERSION.fullmatch(base)
    assert base.startswith(f"python:{setting('mypy', 'python_version')}.")


@in_a_root
@in_full
def test_an_image_with_a_plugin_is_built_as_the_readme_says(image: Image, tmp_path: Path) -> None:
    (dockerfile,) = re.findall(r"```dockerfile\n(.*?)```", section("A plugin"), re.DOTALL)
    write_package("convenience_store", "payment_method", tmp_path)
    files = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "image").mkdir()
    made = build(dockerfile, tmp_path / "image", {"tetsuzuki": image}, files)
    assert made.user == "tetsuzuki"
    assert made.command == image.command
    said = made.root.run(["tetsuzuki plugins list"], made.folder, made.user)
    assert "convenience_store  enabled  (tetsuzuki-convenience-store" in said

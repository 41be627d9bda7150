"""The files that commands write: whole, or as they were before."""

from __future__ import annotations

import os
from pathlib import Path

from tests.kit.browser import add_customer
from tests.kit.commands import Run
from web.assembly.site import Site
from web.cli.written import whole


def test_what_is_left_before_its_end_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "kept.csv"
    file.write_bytes(b"before")
    writing = whole(file)
    writing.__enter__().write(b"half")
    assert not writing.__exit__(OSError, OSError("the disk is full"), None)
    assert file.read_bytes() == b"before"
    with whole(file) as opened:
        opened.write(b"after")
        assert file.read_bytes() == b"before"
    assert file.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    """As to a folder that is mounted elsewhere."""
    kept, link = tmp_path / "kept", tmp_path / "link"
    kept.write_bytes(b"before")
    link.symlink_to(kept)
    with whole(link) as opened:
        opened.write(b"after")
    assert link.is_symlink()
    assert kept.read_bytes() == b"after"


def test_a_pipe_is_written_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with whole(pipe) as opened:
        opened.write(b"through")
    assert os.read(reading, 100) == b"through"
    os.close(reading)
    assert pipe.is_fifo()


def test_an_export_is_written_into_a_file_or_the_output(run: Run, site: Site, tmp_path: Path) -> None:
    add_customer()
    assert run("customers", "export", "kept.csv").code == 0
    said = run("customers", "export")
    assert said.out.splitlines() == (tmp_path / "kept.csv").read_text(encoding="utf-8").splitlines()
    assert "A01234567" in said.out


def test_a_template_takes_no_file_away(run: Run, tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text("filled in", encoding="utf-8")
    said = run("customers", "template", "customers.csv")
    assert (said.code, said.err) == (1, "tetsuzuki: customers.csv: File exists\n")
    assert (tmp_path / "customers.csv").read_text(encoding="utf-8") == "filled in"
    said = run("customers", "template", "none.csv", env={"TETSUZUKI_METRICS_TOKEN": "x"})
    assert (said.code, (tmp_path / "none.csv").exists()) == (1, False)
    assert run("customers", "template", "new.csv").code == 0
    assert (tmp_path / "new.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_what_holds_customers_is_for_its_owner_alone(run: Run, site: Site, tmp_path: Path) -> None:
    for _again in range(2):
        assert run("customers", "export", "customers.csv").code == 0
        assert (tmp_path / "customers.csv").stat().st_mode & 0o777 == 0o600
    (tmp_path / "customers.csv").chmod(0o640)
    assert run("customers", "export", "customers.csv").code == 0
    assert (tmp_path / "customers.csv").stat().st_mode & 0o777 == 0o640  # as it was made for a group


def test_a_plugin_of_the_site_itself_is_not_uninstalled(run: Run, site: Site) -> None:
    said = run("plugins", "remove", "faq")
    assert "pip uninstall" not in said.out
    assert "    enabled = false in [plugins.faq]" in said.out

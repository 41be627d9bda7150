"""The development mailbox: one file a mail, whole or not there, for nobody else to read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from itertools import count
from pathlib import Path

import pytest

from engine.delivery import Accepted, Deferred, Failed, Message
from engine.errors import ConfigurationError
from engine.plugins.loading import load
from engine.plugins.site_facts import SiteFacts
from engine.testing import configured
from plugins.dev_mailbox import DevMailbox

START = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)
MESSAGE = Message("account.1.1@localhost", "s@example.jp", ("t@example.jp",), "申込受付", "本文\n", "<p>本文</p>")


def ticking() -> Iterator[datetime]:
    return (START + timedelta(seconds=second) for second in count())


def mailbox(var: Path, *, keep: int = 500, demo: bool = True) -> DevMailbox:
    times = ticking()
    site_facts = SiteFacts(var, "http://127.0.0.1:8000", "s@example.jp", demo, "Asia/Tokyo")
    return DevMailbox(DevMailbox.Config(keep), site_facts, clock=lambda: next(times))


def files(var: Path) -> list[Path]:
    return sorted((var / "mailbox").iterdir())


def test_mail_becomes_a_file(tmp_path: Path) -> None:
    outcome = mailbox(tmp_path).send(MESSAGE, "k")
    (path,) = files(tmp_path)
    assert outcome == Accepted(path.name)
    assert path.name.startswith("20260701T030000.000000Z-")
    assert path.suffix == ".eml"
    mail = message_from_bytes(path.read_bytes(), policy=default)
    assert mail["Subject"] == "申込受付"
    assert mail["Message-ID"] == "<account.1.1@localhost>"


def test_files_and_folder_are_closed_to_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        mailbox(tmp_path).send(MESSAGE, "k")
    finally:
        os.umask(before)
    (path,) = files(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_same_message_id_is_one_file_with_the_last_content(tmp_path: Path) -> None:
    box = mailbox(tmp_path)
    first = box.send(MESSAGE, "k")
    again = box.send(replace(MESSAGE, message_id="<account.1.1@localhost>", subject="second"), "k")
    assert again == first
    (path,) = files(tmp_path)
    assert b"Subject: second" in path.read_bytes()


def test_same_message_id_at_once_is_one_file(tmp_path: Path) -> None:
    box = mailbox(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        outcomes = set(pool.map(lambda _n: box.send(MESSAGE, "k"), range(40)))
    assert len(outcomes) == 1
    assert len(files(tmp_path)) == 1


def test_only_the_newest_stay(tmp_path: Path) -> None:
    box = mailbox(tmp_path, keep=3)
    names = [box.send(replace(MESSAGE, message_id=f"{n}@localhost"), "k") for n in range(5)]
    assert [Accepted(path.name) for path in files(tmp_path)] == names[2:]


def test_newest_500_stay_by_default() -> None:
    assert DevMailbox.Config().keep == 500


def test_keep_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="keep = 0: expected a whole number from 1"):
        configured(DevMailbox, {"keep": 0}, SiteFacts(tmp_path, "http://localhost", "a@localhost", True, "UTC"))


def test_unsendable_mail_fails_as_it_would_in_reality(tmp_path: Path) -> None:
    outcome = mailbox(tmp_path).send(replace(MESSAGE, subject="a\r\nBcc: evil@example.com"), "k")
    assert isinstance(outcome, Failed)
    assert not (tmp_path / "mailbox").exists()


def test_folder_that_cannot_be_written_defers(tmp_path: Path) -> None:
    (tmp_path / "mailbox").write_text("a file where the folder should be")
    assert isinstance(mailbox(tmp_path).send(MESSAGE, "k"), Deferred)


def test_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    box = mailbox(tmp_path)
    outcome = box.send(MESSAGE, "k")
    assert isinstance(outcome, Accepted)
    (path,) = files(tmp_path)
    path.unlink()
    path.mkdir()  # a rename onto a folder fails after the temporary file was written
    assert isinstance(box.send(MESSAGE, "k"), Deferred)
    assert files(tmp_path) == [path]


@pytest.mark.parametrize("demo", [True, False])
def test_mailbox_is_registered_in_a_demo_only(tmp_path: Path, demo: bool) -> None:
    site_facts = SiteFacts(tmp_path, "http://127.0.0.1:8000", "s@example.jp", demo, "Asia/Tokyo")
    assert ("dev_mailbox" in load({}, site_facts).mailers()) is demo

"""What `.editorconfig` tells editors is so of every file that there is."""

from __future__ import annotations

import re

from release.source import ROOT, tracked


def texts() -> dict[str, bytes]:
    """The contents of the tracked files that are text, by their paths."""
    found = {name: (ROOT / name).read_bytes() for name in tracked()}
    return {name: content for name, content in found.items() if b"\0" not in content}


def test_every_file_is_as_editors_are_told_to_write_it() -> None:
    wrong = []
    for name, content in texts().items():
        content.decode("utf-8")
        if b"\r" in content or content[-1:] not in (b"", b"\n") or re.search(rb"[ \t]$", content, re.MULTILINE):
            wrong.append(name)
    assert wrong == []

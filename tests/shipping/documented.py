"""The commands that README.md gives under a heading, to be run as they stand there."""

from __future__ import annotations

import re

from release.source import ROOT


def section(heading: str) -> str:
    """What README.md says under a heading of the third level."""
    parts = re.split(r"^#{2,3} (.+)$", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[heading]


def commands(heading: str) -> list[str]:
    """Its commands in order, without their prompts."""
    found = [
        re.sub(r"^[$#] ", "", line)
        for block in re.findall(r"```console\n(.*?)```", section(heading), re.DOTALL)
        for line in block.splitlines()
    ]
    assert found, f"README.md has no command under {heading!r}"
    return found

"""What the processes of a test run compile is there for the next one, whatever Python was asked to keep."""

from __future__ import annotations

import subprocess
import sys


def test_a_process_of_a_run_and_what_it_starts_keep_what_they_compile() -> None:
    assert not sys.dont_write_bytecode
    said = subprocess.run(
        [sys.executable, "-c", "import sys; print(sys.dont_write_bytecode)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "False\n"

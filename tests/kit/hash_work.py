"""How often Argon2 works, which is what the time of a log-in tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError


def hash_work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what Argon2 has done since: "hash" or "verify". What is no hash takes no work and is not there."""
    work: list[str] = []
    for name in ("hash", "verify"):
        monkeypatch.setattr(PasswordHasher, name, _counted(getattr(PasswordHasher, name), work))
    return work


def _counted(argon2: Callable[..., Any], work: list[str]) -> Callable[..., Any]:
    def working(*given: Any) -> Any:
        work.append(argon2.__name__)
        try:
            return argon2(*given)
        except InvalidHashError:
            work.pop()
            raise

    return working

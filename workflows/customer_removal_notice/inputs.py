"""The input of a notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OwnerInput:
    """`owner` is the number of a `RemovedOwner`."""

    owner: int

"""What a merge of customers and the procedure that tells the owner of an account share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MoveInput:
    """Whom to tell: the id of a `MovedAccount`."""

    moved: int

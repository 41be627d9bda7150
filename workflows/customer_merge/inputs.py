"""What staff typed."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.business.shared.staff_acts import StaffActInput


@dataclass(frozen=True, slots=True)
class MergeInput(StaffActInput):
    """The reason, and `into`: the id of the customer who stays."""

    into: int = 0

"""A migration of many instances that will be killed. A process of its own (`Newborn`); it says a line a commit."""

from __future__ import annotations

from engine.operations.rollout import carry_out
from tests.kit.parcels import MAPPING, OPERATOR, open_post


def main(url: str) -> None:
    """Move every parcel, or as many as there is time for."""
    post = open_post(url)
    post.engine.on_commit = lambda committed: print("moved", flush=True)
    carry_out(post.engine, MAPPING, OPERATOR, "killed and begun again")
    post.close()

"""The cure of a stuck procedure, as the command that an operator gives."""

from __future__ import annotations

from engine.operations.stuck import Stuck

_REASON = '--reason "…"'


def command(one: Stuck) -> str:
    """The command that cures it; empty where no command does, because the deployed software lacks something."""
    match one.cure:
        case "timers":
            return f"tetsuzuki workflow cure timers {one.instance_id} {_REASON}"
        case "link":
            mail = f" --mail {one.what}" if one.what else ""
            return f"tetsuzuki workflow cure link {one.instance_id}{mail} {_REASON}"
        case "move":
            return f"tetsuzuki workflow migrate {one.instance_id} --to {one.version} --state STATE {_REASON}"
    return ""


def advice(one: Stuck) -> str:
    """The advice of `doctor`, in English."""
    cure = command(one)
    if cure:
        return f"to cure it: {cure}"
    return (
        "deploy the software that has this version, or move it: "
        f"tetsuzuki workflow migrate {one.instance_id} --to VERSION --state STATE {_REASON}"
    )

"""The extensions that plugins registered (`extend_workflows`), compared with the points that the workflows declare."""

from __future__ import annotations

from collections.abc import Sequence

from engine.configuration import nearest
from engine.definition import SYSTEM, Workflow
from engine.extension import Extension
from engine.plugins.loaded import Claim, Plugins
from engine.runtime.extending import Installed

HOOK = "extend_workflows"


def leave_out_unfit(plugins: Plugins, workflows: Sequence[Workflow]) -> None:
    """Leave out each extension that fits no point of these workflows; the reason is its plugin's failure.
    Idempotent."""
    for claim in plugins.claims(HOOK):
        wrong = _wrong(claim, plugins, workflows)
        if wrong:
            plugins.leave_out(HOOK, claim, wrong)


def installed(plugins: Plugins) -> tuple[Installed, ...]:
    """The extensions, in the order of their plugins. Raises PluginError where two plugins claim one name."""
    plugins.registered(HOOK)
    return tuple(
        Installed(claim.name, claim.thing, claim.plugin, claim.version, claim.module.partition(".")[0])
        for claim in plugins.claims(HOOK)
    )


def _wrong(claim: Claim, plugins: Plugins, workflows: Sequence[Workflow]) -> str:
    extension: Extension = claim.thing
    named = [workflow for workflow in workflows if workflow.name == extension.workflow]
    if not named:
        return f"there is no workflow {extension.workflow!r}{_there_are(extension.workflow, workflows)}"
    points = [point for workflow in named for point in workflow.extension_points]
    if extension.point not in {point.name for point in points}:
        known = sorted({point.name for point in points})
        hint = nearest(extension.point, known) or f"; there are: {', '.join(known) or 'none'}"
        return f"{extension.workflow} has no extension point {extension.point!r}{hint}"
    ways = [
        way
        for workflow in named
        for point in workflow.extension_points
        if point.name == extension.point
        for way in workflow.ways_at(point)
    ]
    if extension.guards and all(way.allow.name == SYSTEM.name for way in ways):
        return f"the point {extension.point!r} takes no guards: only the system takes its steps"
    kinds = plugins.brought_by(claim.plugin).get("register_effect_handlers", {})
    for effect in extension.effects:
        if effect.kind not in kinds:
            return f"its effect {effect.name!r} is of the kind {effect.kind!r}, which the plugin itself does not handle"
    return ""


def _there_are(name: str, workflows: Sequence[Workflow]) -> str:
    known = sorted({workflow.name for workflow in workflows if workflow.extension_points})
    return nearest(name, known) or f"; with extension points there are: {', '.join(known) or 'none'}"

"""What the staff's page of a procedure says of the plugin that brought it: where it handles it, and that it is away."""

from __future__ import annotations

from flask import url_for

from engine.operations.census import Standing
from web.http.areas import Fact, declared
from web.http.current import site
from workflows.business import plugin_procedures


def handled_elsewhere(where: Standing) -> Fact | None:
    """The plugin's pages that handle a procedure, with a link to the instance or to the first of them; None where the
    staff handle it here."""
    by = declared().handled_by_plugins.get(where.workflow)
    if by is None:
        return None
    url = url_for(by.one, instance_id=where.instance_id) if by.one else url_for(by.first) if by.first else ""
    return Fact(by.title, "", url)


def missing_plugin(where: Standing) -> str:
    """The plugin that brought a procedure whose definition is not here; "" where no plugin did."""
    with site().engine.store.reading() as unit:
        return plugin_procedures.names(unit).get(where.workflow, "")

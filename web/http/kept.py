"""Forms that were typed and are kept on the server for an hour, for the person who is logged in (`KeptForms`).

The address of a page names a kept form by its token, as `?typed=<token>`. A token opens for its owner alone, and only
on the page that it was typed on: `place` is the path of that page. Nothing is done with what is given back before the
person presses again, and everything is checked anew then.
"""

from __future__ import annotations

from collections.abc import Iterable

from flask import flash, request
from werkzeug.datastructures import MultiDict

from engine.text import _
from web.http.current import site
from web.http.who_may import staff_member, user

TYPED = "typed"  # the parameter of an address that names a kept form
_OVER = _(
    "入力された内容の保管期間（1時間）が過ぎたか、別のアカウントで入力された内容のため、表示できません。"
    "お手数ですが、もう一度ご入力ください。"
)


def owner() -> str:
    """The person who is logged in, as an owner of kept forms: "account:5" or "staff:3"; "" for a visitor."""
    if request.blueprint is not None and request.blueprint.startswith("staff"):
        member = staff_member()
        return f"staff:{member.id}" if member is not None else ""
    here = user()
    return f"account:{here.account.id}" if here is not None else ""


def keep(place: str, fields: Iterable[tuple[str, str]]) -> str:
    """Keep what was typed at the path `place`. Returns the token that finds it."""
    return site().access.kept_forms.keep(owner(), place, fields)


def look(token: str, place: str) -> MultiDict[str, str] | None:
    """What was typed at `place` and is kept under `token`; None where that is nothing of this person's. Read-only."""
    kept = site().access.kept_forms.look(token, owner())
    return MultiDict(kept.fields) if kept is not None and kept.place == place else None


def drop(token: str) -> None:
    """Delete a kept form: it has done its work. Idempotent."""
    site().access.kept_forms.drop(token, owner())


def typed() -> MultiDict[str, str] | None:
    """What was typed earlier on this page, where its address names a kept form; else None, and the page says why."""
    token = request.args.get(TYPED)
    if not token:
        return None
    fields = look(token, request.path)
    if fields is None:
        flash(str(_OVER), "care")
    return fields

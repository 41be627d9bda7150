"""Every page that announces a mail says to look in the junk folder (G43)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from web.pages.account_invitation import invite

WEB = Path(invite.__file__).parents[2]
TEMPLATES = WEB / "templates"
ANNOUNCES = re.compile(r"メール[^。]{0,40}(送信します|再送信します|お送りします|お送りしますので|お知らせします)")
JUNK = "迷惑メール"
# Where a page goes that says something once, and the template that shows it there.
SHOWN_BY = {
    "accounts.show": "accounts/list.html",
    "own.show": "account_profile_change/show.html",
    "contractor_email.show": "contractor_email_change/show.html",
}
# What another part of the page, or of a mail's own page, says of a mail that was sent long before.
OTHERS = {"contact/show.html"}


def text_of(template: str) -> str:
    """A template with what it includes, imports and extends."""
    source = (TEMPLATES / template).read_text(encoding="utf-8")
    others = re.findall(r'{%-? (?:include|from|extends) "([^"]+)"', source)
    return source + "".join(text_of(other) for other in others if other != "base.html")


CUSTOMERS = sorted(
    str(path.relative_to(TEMPLATES))
    for path in TEMPLATES.rglob("*.html")
    if path.relative_to(TEMPLATES).parts[0] not in ("staff",)
)
ANNOUNCING = [name for name in CUSTOMERS if ANNOUNCES.search((TEMPLATES / name).read_text(encoding="utf-8"))]


def test_pages_announce_mails() -> None:
    assert len(ANNOUNCING) > 5, "the pattern finds the sentences"


@pytest.mark.parametrize("name", [name for name in ANNOUNCING if name not in OTHERS])
def test_a_page_that_announces_a_mail_names_the_junk_folder(name: str) -> None:
    assert JUNK in text_of(name)


def said_once() -> Iterator[tuple[str, str, str]]:
    """What views flash of mails: the view, the text, and the endpoint where it is read."""
    for path in sorted((WEB / "pages").rglob("*.py")):
        for view in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(view, ast.FunctionDef):
                texts = list(_strings_of_calls(view, "flash"))
                leads = list(_strings_of_calls(view, "url_for"))
                for text in texts:
                    if ANNOUNCES.search(text):
                        yield f"{path.relative_to(WEB)}:{view.name}", text, leads[-1] if leads else ""


def _strings_of_calls(view: ast.FunctionDef, name: str) -> Iterator[str]:
    for call in ast.walk(view):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name:
            yield "".join(
                part.value for part in ast.walk(call) if isinstance(part, ast.Constant) and isinstance(part.value, str)
            )


def test_what_is_said_once_of_a_mail_is_read_beside_the_junk_folder() -> None:
    said = list(said_once())
    assert len(said) > 3, "views that announce a mail are found"
    wrong = [
        (view, text, endpoint)
        for view, text, endpoint in said
        if JUNK not in text and JUNK not in (text_of(SHOWN_BY[endpoint]) if endpoint in SHOWN_BY else "")
    ]
    assert wrong == []

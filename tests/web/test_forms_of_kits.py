"""The forms that the kits of pages read out of a page."""

from __future__ import annotations

from web.testing.forms import form_for, forms_in, posted_without_token

PAGE = """
<form action="/language" method="post"><input type="hidden" name="csrf_token" value="t"></form>
<form method="POST" id="main">
  <input type="hidden" name="seen" value="3"><input name="word" value="a &amp; b"><input name="gone" value="x" disabled>
  <input type="checkbox" name="mine" value="yes" checked><input type="radio" name="size" value="s">
  <textarea name="reason">
line</textarea>
  <select name="device"><option>One</option><option value="2" selected>Two</option></select>
  <select name="colour"><option>Red</option><option>Blue</option></select>
  <button name="event" value="refuse">No</button>
</form>
<input name="late" form="main" value="yes">
<form action="3/delete?x" method="post"><button>Delete</button></form>
"""


def test_a_form_holds_what_a_browser_would_send() -> None:
    _language, main, _delete = forms_in(PAGE)
    assert main.hidden == {"seen": "3"}
    typed = {"seen": "3", "word": "a & b", "mine": "yes", "reason": "line", "late": "yes"}
    assert main.filled == {**typed, "device": "2", "colour": "Red"}
    assert main.names == {*main.filled, "gone", "size", "event"}


def test_a_form_is_found_by_where_it_goes() -> None:
    delete = form_for(PAGE, "/x/loans/", "/x/loans/3/delete", set())
    assert delete is not None
    assert delete.action == "3/delete?x"
    own = form_for(PAGE, "/x/loans/", "/x/loans/", {"word"})
    assert own is not None
    assert own.method == "post"
    assert form_for(PAGE, "/x/loans/", "/x/loans/4/delete", set()) is None


def test_forms_without_a_token_are_told() -> None:
    assert list(posted_without_token(PAGE)) == ["", "3/delete?x"]

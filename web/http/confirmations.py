"""Confirmations by post, redirect, get: Back, Forward and reload show what is so now, and one confirmation sends once.

A form that is valid is kept on the server (`web.http.kept`), and its answer redirects to a page whose address ends in
the token. That page reads the form again and shows what it means now. Its button posts a ticket: what the page showed,
sealed for this person and token. The view books what the ticket says, or nothing where it does not hold any more.

The request key is made of the token, so two clicks, two tabs and a page out of the browser's history are one request
(I10), and the engine knows what became of it: the page of a confirmation that was sent says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from flask import flash, redirect, render_template, request, session
from werkzeug import Response
from werkzeug.datastructures import MultiDict

from engine.definition import Actor, Refusal
from engine.errors import KeyReused, Refused
from engine.text import Text, _
from web.http import kept
from web.http.current import site
from web.http.unsent import UNSENT, sent_with_its_confirmation
from web.http.who_may import this_actor
from workflows.business.access.vault import Unreadable

_BEFORE = "before"  # the parameter of an address that names the ticket of an earlier page
_LONGEST_TICKET = 64_000  # characters


def _say_once(message: str) -> None:
    """Say something on the next page, unless it says that already."""
    if message not in (said for _category, said in session.get("_flashes", ())):
        flash(message)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """One confirmation of what was typed at `place`, the path of its form."""

    token: str
    place: str

    @property
    def key(self) -> str:
        """The request key of whatever is sent from this confirmation."""
        return sha256(f"confirmed\0{self.token}".encode("utf-8", "surrogatepass")).hexdigest()[:32]

    @property
    def url(self) -> str:
        """The address of the confirmation."""
        return f"{self.place}/confirm/{self._quoted}"

    @property
    def form_url(self) -> str:
        """The address of the form, filled in with what was typed."""
        return f"{self.place}?{kept.TYPED}={self._quoted}"

    @property
    def _quoted(self) -> str:
        """The token in an address: what somebody makes up may hold any letter, also the end of a line."""
        return quote(self.token, safe="", errors="replace")

    def fields(self) -> MultiDict[str, str] | None:
        """What was typed; None where it is not kept (any more) for this person."""
        return kept.look(self.token, self.place)

    def made(self, actor: Actor | None = None) -> int | None:
        """The number of the procedure that was begun, or moved on, from this confirmation by `actor`, else by the
        account that is logged in; None where none was."""
        outcome = site().engine.outcome_under(self.key, actor or this_actor())
        return outcome.instance_id if outcome is not None else None

    def sent_once(
        self, send: Callable[[], Response | None], receipt: Callable[[int], Response], received: Text
    ) -> Response:
        """The answer to the button: `send` unless it was sent, and then `receipt` of the procedure that it made, whose
        page says `received`.

        `send` answers where it made nothing. Of two clicks the second may begin to look before the first one's commit,
        and find that its request is in the way, or what was typed is kept no more: it gets the receipt as well. The
        browser may have dropped the answer to the first click with what it said, so each of them says it.
        """
        answer = send() if self.made() is None else None
        number = self.made()
        if number is None:
            return answer or redirect(self.url, 303)
        _say_once(str(received))
        return receipt(number)

    def ticket(self, shown: Any) -> str:
        """What the page shows, as JSON can say it, for its hidden field `shown`."""
        return site().services.vault.seal(json.dumps(shown, ensure_ascii=False, default=str), self._purpose)

    def posted(self) -> Any:
        """What the page showed whose button was pressed; None where it brought no ticket of this confirmation."""
        return self._opened(request.form.get("shown", ""))

    def again(self) -> Response:
        """Redirect to the page as it is now, which marks what differs from what the posted ticket says."""
        before = kept.keep(self.url, [("shown", request.form.get("shown", ""))])
        return redirect(f"{self.url}?{_BEFORE}={before}", 303)

    def refused(self, error: Refused | KeyReused, overtaken: Refusal) -> Response:
        """The way back after the engine refused: to what differs, where a refusal is that what was shown has changed
        (by the code of `overtaken`); else the page says why. One that was sent meanwhile says so itself."""
        refusals = error.refusals if isinstance(error, Refused) else ()
        if any(refusal.code == overtaken.code for refusal in refusals):
            return self.again()
        for refusal in refusals if self.made() is None else ():
            flash(str(refusal.message), "care")
        return redirect(self.url, 303)

    def before(self) -> Any:
        """What the page showed when its button was pressed, where `again` led here; else None."""
        fields = kept.look(request.args.get(_BEFORE, ""), self.url)
        return self._opened(fields["shown"]) if fields is not None else None

    def _opened(self, ticket: str) -> Any:
        try:
            return json.loads(str(site().services.vault.open(ticket[:_LONGEST_TICKET], self._purpose)))
        except Unreadable:
            return None

    def drop(self) -> None:
        """Delete what was kept: it was sent. That goes for its form as well, where that was refused at first."""
        fields = self.fields()
        if fields is not None and fields.get(UNSENT):
            kept.drop(fields[UNSENT])
        kept.drop(self.token)

    @property
    def _purpose(self) -> str:
        return f"confirmation {kept.owner()} {self.token}"


def to_confirm(place: str, fields: Iterable[tuple[str, str]]) -> Response:
    """Keep what was typed at `place`, and redirect to its confirmation."""
    refused_before = [(UNSENT, token) for token in (sent_with_its_confirmation(),) if token]
    return redirect(Confirmation(kept.keep(place, [*fields, *refused_before]), place).url, 303)


def gone(confirmation: Confirmation) -> Response:
    """The answer where nothing is kept under the token: the form, which says why it is empty."""
    return redirect(confirmation.form_url, 303)


_SENT = _("この確認画面のお申し込みは、すでに受け付けています。もう一度送信する必要はありません。")


def sent_page(number: int, said: Text = _SENT) -> str:
    """The page of a confirmation that was sent already, or that another request is in the way of: what `said` says, and
    the link to that request."""
    return render_template("confirmed.html", number=number, said=said)

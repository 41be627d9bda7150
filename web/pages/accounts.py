"""アカウント管理 (G37–G42): the customer's accounts and invitations, and what an administrator may do with them.

Every change is an event of a procedure, in a module named after it: `account_invitation`, `account_role_change`,
`account_removal`. An id of another customer gets the same answer as one that does not exist: the list, with 404.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from flask import Response, render_template

from engine.definition import Refusal
from engine.errors import Forbidden, KeyReused, Refused, UnknownInstance
from engine.outcomes import Offer, Sight
from engine.runtime.resends import may_correct
from engine.store.base import LARGEST
from engine.text import Text, _
from web.http.areas import CUSTOMER_DETAILS_MENU, Area
from web.http.current import local_time, site
from web.http.request_keys import key_of, sent_before
from web.http.responses import form_again
from web.http.who_may import needs, this_actor, this_user
from workflows.account_invitation.records import Invitation
from workflows.account_invitation.rules import link_valid_until
from workflows.account_removal import RemovalInput
from workflows.account_role_change import RoleInput
from workflows.business.access.account_standing import STANDINGS, refusal_of
from workflows.business.permissions import ADMIN, EDITOR, ROLES, VIEWER
from workflows.business.records import Account

INVITATION, ROLE_CHANGE, REMOVAL = "account_invitation", "account_role_change", "account_removal"

# What each role may do, as the forms say it.
ROLE_NOTES: Mapping[str, Text] = {
    VIEWER: _("ご契約内容やお客様情報を見ることができます。"),
    EDITOR: _("閲覧に加えて、ご契約内容の変更などをお申し込みいただけます。"),
    ADMIN: _("手続きに加えて、アカウントを管理できます。"),
}
NOT_HERE = Refusal(
    "not_here",
    _("対象のアカウントが見つかりません。すでに削除または取り消されている場合があります。一覧をご確認ください。"),
)
SENT_BEFORE = sent_before(
    _("先ほどの送信はすでに受け付けています。内容を変えて送信する場合は、もう一度ボタンをクリックください。"),
)
NUMBER = f"<int(min=1, max={LARGEST}):number>"


pages = Area("accounts", __name__, url_prefix="/registration/accounts")


@dataclass(frozen=True, slots=True)
class Member:
    """An account in the list. `oneself` marks the reader's own; `shut` is why it cannot be used, "" where it can."""

    id: int
    name: str
    email: str
    role: Text
    oneself: bool
    shut: Text | str


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation in the list; `ways` are the reader's buttons."""

    id: int
    name: str
    email: str
    role: Text
    state: Text
    invited_at: str
    valid_until: str
    generation: int
    ways: tuple[Offer, ...]
    reasons: tuple[Refusal, ...]
    may_be_corrected: bool


@pages.get("")
@pages.in_menu(CUSTOMER_DETAILS_MENU, 60, _("アカウント管理"))
@needs(ADMIN)
def show() -> str:
    """The list: accounts in white, invitations in yellow-green, and the state as text (G39)."""
    return _list()


def _list(refusals: Iterable[Refusal] = ()) -> str:
    members, invited = _members(), _invited()
    return render_template(
        "accounts/list.html",
        members=members,
        invited=invited,
        alone=len(members) + len(invited) == 1,
        refusals=tuple(refusals),
    )


def list_again(refusals: Iterable[Refusal], status: int) -> Response:
    """The list as it is now, with the refusals of an act."""
    said = tuple(refusals)
    response = form_again(_list(said), said)
    response.status_code = 429 if response.status_code == 429 else status
    return response


def not_here() -> Response:
    """The answer for an id that does not exist or is another customer's: the list, with 404."""
    return list_again((NOT_HERE,), 404)


def _members() -> list[Member]:
    reader = this_user().account
    accounts = Account.select().where(Account.customer == reader.customer_id).order_by(Account.id)
    return [
        Member(
            account.id,
            account.user_name,
            account.email,
            role_title(account.role),
            account.id == reader.id,
            _shut(account),
        )
        for account in accounts
    ]


def _shut(account: Account) -> Text | str:
    return STANDINGS.get(account.standing, "") if refusal_of(account) is not None else ""


def _invited() -> list[Invited]:
    mine = Invitation.select().where(
        Invitation.customer == this_user().account.customer_id, Invitation.email.is_null(False)
    )
    invitations = list(mine.order_by(Invitation.created_at, Invitation.instance))
    sights = site().engine.look_at_each([one.instance for one in invitations])
    return [shown_invitation(one, sights[one.instance]) for one in invitations if one.instance in sights]


def shown_invitation(invitation: Invitation, sight: Sight) -> Invited:
    """An invitation as the reader sees it, with their buttons."""
    engine = site().engine
    until = None
    with suppress(UnknownInstance):  # where its history is gone
        until = link_valid_until(engine.history(invitation.instance))
    choices = engine.choices(invitation.instance, this_actor())
    return Invited(
        id=invitation.instance,
        name=invitation.user_name,
        email=invitation.email or "",
        role=role_title(invitation.role),
        state=sight.state.title or Text(sight.state.name),
        invited_at=local_time(invitation.created_at),
        valid_until=local_time(until) if until is not None else "",
        generation=sight.instance.generation,
        ways=choices.offers,
        reasons=choices.refusals,
        may_be_corrected=any(
            may_correct(engine.workflow(sight.instance), sight.state.name, offer.event) for offer in choices.offers
        ),
    )


def role_title(name: str) -> Text:
    """The title of a role; its name where it is unknown."""
    return ROLES.get(name) or Text(name)


# What acts on an account


def account_here(number: int) -> Account | None:
    """An account of the reader's customer; None where there is no such one."""
    mine = (Account.id == number) & (Account.customer == this_user().account.customer_id)
    account: Account | None = Account.get_or_none(mine)
    return account


def start(workflow: str, number: int, change: RoleInput | RemovalInput, key: str | None) -> tuple[Refusal, ...] | None:
    """Start a procedure on an account. Returns None where it was done, else the refusals.

    The engine is asked even where there is no such account, because it deduplicates a form that was sent twice.
    """
    try:
        site().engine.start(workflow, f"account:{number}", this_actor(), change, key=key_of(key))
    except Refused as error:
        return error.refusals
    except KeyReused:
        return (SENT_BEFORE,)
    except Forbidden:
        if account_here(number) is not None:
            raise
        return (NOT_HERE,)
    return None

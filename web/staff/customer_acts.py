"""What staff do to a customer, its accounts and contracts: stop and reopen an account, log it out, end a contract, and
remove the customer.

Each has one page: what will happen, with figures and with the mails as they will go out; then the reason, and a
confirmation (`sealed_acts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Refusal, Workflow
from engine.delivery import Message
from engine.operations.census import Standing, standing
from engine.outcomes import Preview
from engine.store.prepared import prepared
from engine.text import Text, _
from web.http.areas import NUMBER
from web.http.current import local_time, site, today
from web.http.request_keys import mark
from web.http.who_may import staff_only
from web.shown.dates import day
from web.staff.area import pages, typed_reason
from web.staff.history import state_title
from web.staff.sealed_acts import REASON_SAMPLE, NotDone, do_once, outcome_of_form, previewed
from workflows.business.access.account_standing import STANDINGS
from workflows.business.access.actor_names import names_of
from workflows.business.customer_aliases import alias_of
from workflows.business.permissions import ROLES, number_of
from workflows.business.records import (
    STOPPED,
    Account,
    ChangeRequest,
    Contract,
    Customer,
    CustomerAlias,
    StaffAct,
    running_contracts,
)
from workflows.business.shared import staff_acts
from workflows.business.shared.change_request import CONTRACT_LABELS, contract_terms, said
from workflows.business.shared.staff_acts import StaffActInput
from workflows.business.shared.withdrawals import can_be_withdrawn, open_requests, staying_requests
from workflows.contract_notice.effect import concerned
from workflows.registry import CHANGE_REQUEST_KINDS

_MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Act:
    """An act: its procedure, and what its page says. `ends_requests` says whether open requests are withdrawn, and
    `told` what becomes of the reason."""

    workflow: str
    title: Text
    consequences: tuple[Text, ...]
    done: Text
    ends_requests: bool = False
    told: Text = _("メールでお知らせし、履歴に残ります。")


ACCOUNT_ACTS: Mapping[str, Act] = {
    "stop": Act(
        "account_stop_by_staff",
        _("アカウントを停止する"),
        (
            _("すべての画面からログアウトされ、ログインできなくなります。"),
            _("パスワード再設定やログイン用メールアドレス変更のために送信済みのURLは、使えなくなります。"),
            _("このアカウントから申し込まれた手続き中のお申し込みは、取り下げられます。"),
        ),
        _("アカウントを停止しました。"),
        ends_requests=True,
    ),
    "reopen": Act(
        "account_reopening",
        _("アカウントを再開する"),
        (
            _("これまでのパスワードと権限で、ログインできるようになります。"),
            _("停止に伴って取り下げたお申し込みは、元に戻りません。"),
        ),
        _("アカウントを再開しました。"),
    ),
    "log-out": Act(
        "account_log_out",
        _("すべての画面からログアウトさせる"),
        (
            _("すべての画面からログアウトされます。もう一度ログインすれば、ご利用いただけます。"),
            _("パスワードは変わりません。お申し込みにも影響はありません。"),
        ),
        _("ログアウトさせました。"),
    ),
}


_TOLD = _("手続きまたは管理の権限があるアカウントの方にも、お一人ずつメールでお知らせします。")
CONTRACT_ACTS: Mapping[str, Act] = {
    "end": Act(
        "contract_end",
        _("契約を終了する"),
        (
            _("終了日の翌日から、このご契約ではお申し込みができなくなります。"),
            _(
                "ほかにご利用中のご契約がない場合は、終了日の翌日に、"
                "お客様のすべてのアカウントがログアウトされ、ログインできなくなります。"
            ),
            _("終了日より後に適用される予定のお申し込みは、取り下げられます。"),
            _("請求システムには伝わりません。請求の停止は、請求システムで別途ご登録ください。"),
            _TOLD,
        ),
        _("ご契約終了日を登録しました。"),
        ends_requests=True,
    ),
    "continue": Act(
        "contract_continuation",
        _("契約の終了を取り消す"),
        (
            _("登録されている終了日が消え、ご契約はそのまま続きます。"),
            _("終了に伴って取り下げたお申し込みは、元に戻りません。"),
            _("請求システムには伝わりません。必要な場合は、請求システムで別途ご登録ください。"),
            _TOLD,
        ),
        _("ご契約の終了を取り消しました。"),
    ),
}

REMOVAL = Act(
    "customer_removal",
    _("お客様を削除する"),
    (
        _("この操作は取り消せません。"),
        _(
            "お客様のすべてのアカウントが削除され、ログアウトされます。送信済みのURLは使えなくなり、"
            "手続き中のアカウント作成・アカウント追加・アカウント開設のご案内も終わります。"
        ),
        _("アカウントをお持ちの方には、それぞれの言語のメールで、アカウントの削除をお知らせします。"),
        _("手続き中のお申し込みは、取り下げられます。取り下げのメールは送信されません。"),
        _(
            "ご担当者様、電話番号、メールアドレス、お申し込みになった方のお名前、社内メモ、担当者が入力した理由は、"
            "削除されます。"
        ),
        _("以後、お知らせは送信されず、同じお客様番号の行は取り込めず、お客様番号でのみ検索できます。"),
    ),
    _("お客様を削除しました。"),
    ends_requests=True,
    told=_("ご契約者へのメールでお知らせします。お知らせした後に削除され、履歴には残りません。"),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """An open request that the act meets. `withdrawn` says whether it can still be withdrawn in its `state`."""

    instance_id: int
    kind: Text | str
    state: Text | str
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What an act would do now, or the `refusals` of one that is not possible. `staying` are open requests that one
    might take for ended as well."""

    refusals: tuple[Refusal, ...] = ()
    mails: tuple[Message, ...] = ()
    requests: tuple[Ended, ...] = ()
    staying: tuple[Ended, ...] = ()

    @property
    def withdrawn(self) -> int:
        """How many requests would be withdrawn."""
        return sum(one.withdrawn for one in self.requests)

    def seal(self, also: Sequence[object]) -> str:
        """A digest of what was shown, for the form; `also` is what else its page shows."""
        shown = [(one.instance_id, one.withdrawn) for one in (*self.requests, *self.staying)]
        return mark(repr((shown, [(mail.to, mail.subject) for mail in self.mails], also)))


@dataclass(frozen=True, slots=True)
class Done:
    """An act of the staff in the history of a customer."""

    instance_id: int
    title: Text | str
    about: str
    at: str
    who: Text | str
    reason: str


@pages.get(f"/accounts/<{NUMBER}:account>/<act>")
@staff_only
def account_act(account: int, act: str) -> str:
    """What the act would do to the account, and its form. Read-only (I4)."""
    record, chosen = _account(account), _act(act)
    return _account_page(record, chosen, _foresee(chosen, f"account:{record.id}"))


@pages.post(f"/accounts/<{NUMBER}:account>/<act>")
@staff_only
def act_on_account(account: int, act: str) -> str | Response:
    """Do it, in the name of the logged-in member. A form that is sent twice does it once."""
    record, chosen = _account(account), _act(act)
    about = f"account:{record.id}"
    refused = _do(chosen, about, StaffActInput(typed_reason(request.form)))
    if refused is None:
        flash(str(chosen.done))
        return redirect(url_for("staff.customer", customer=record.customer_id), 303)
    return make_response(_account_page(record, chosen, _foresee(chosen, about), refused.refusals), refused.status)


@pages.get(f"/contracts/<{NUMBER}:contract>/<act>")
@staff_only
def contract_act(contract: int, act: str) -> str:
    """What the act would do to the contract, and its form. Read-only (I4)."""
    record, chosen = _contract(contract), _contract_act(act)
    return _contract_page(record, chosen, _last_day(chosen, request.args.get("last_day", "")))


@pages.post(f"/contracts/<{NUMBER}:contract>/<act>")
@staff_only
def act_on_contract(contract: int, act: str) -> str | Response:
    """Do it, in the name of the logged-in member. A form that is sent twice does it once."""
    record, chosen = _contract(contract), _contract_act(act)
    last_day = _last_day(chosen, request.form.get("last_day", ""))
    refused = _do(chosen, f"contract:{record.id}", StaffActInput(typed_reason(request.form), last_day))
    if refused is None:
        flash(str(chosen.done))
        return redirect(url_for("staff.customer", customer=record.customer_id), 303)
    return make_response(_contract_page(record, chosen, last_day, refused.refusals), refused.status)


def _contract(number: int) -> Contract:
    found: Contract | None = Contract.select(Contract, Customer).join(Customer).where(Contract.id == number).first()
    if found is None:
        abort(404)
    return found


def _contract_act(name: str) -> Act:
    return CONTRACT_ACTS[name] if name in CONTRACT_ACTS else abort(404)


def _last_day(act: Act, text: str) -> date | None:
    """The last day that was chosen, and the last one of this month where none was; None for an act that has none."""
    if not act.ends_requests:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return (today().replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)


@pages.get(f"/customers/<{NUMBER}:customer>/remove")
@staff_only
def customer_removal(customer: int) -> str | Response:
    """What the removal would do to the customer, and its form. Read-only (I4)."""
    record = customer_or_alias(customer)
    return merged_already(record) if isinstance(record, CustomerAlias) else _removal_page(record)


@pages.post(f"/customers/<{NUMBER}:customer>/remove")
@staff_only
def remove_customer(customer: int) -> str | Response:
    """Do it, in the name of the logged-in member. A form that is sent twice does it once."""
    about = f"customer:{customer}"
    if _did(REMOVAL, about):
        return _removed()
    record = customer_or_alias(customer)
    if isinstance(record, CustomerAlias):
        return merged_already(record)
    refused = _do(REMOVAL, about, StaffActInput(typed_reason(request.form)), _accounts(record))
    if refused is None:
        return _removed()
    return make_response(_removal_page(record, refused.refusals), refused.status)


def _removed() -> Response:
    flash(str(REMOVAL.done))
    return redirect(url_for("staff.customers"), 303)  # its own page may be gone as soon as the mail was accepted


def customer_or_alias(number: int) -> Customer | CustomerAlias:
    """The customer, or what is left of one who was merged into another one. 404 where there is neither."""
    found: Customer | None = Customer.get_or_none(Customer.id == number)
    return found or alias_of(number) or abort(404)


def merged_already(alias: CustomerAlias) -> Response:
    """The page of the customer into whom this one was merged already, perhaps a moment ago by somebody else."""
    flash(str(staff_acts.ALREADY_MERGED.message), "care")
    return redirect(url_for("staff.customer", customer=alias.customer_id), 303)


def _accounts(customer: Customer) -> tuple[int, ...]:
    """The accounts that go with a customer, by their numbers: who has one is told."""
    return tuple(one.id for one in Account.select().where(Account.customer == customer.id).order_by(Account.id))


def removal_of(customer: Customer) -> str:
    """The address at which a customer is removed; "" of one who was."""
    return url_for("staff.customer_removal", customer=customer.id) if customer.removed_on is None else ""


def acts_for_contract(contract: Contract) -> tuple[tuple[Text, str], ...]:
    """The acts that make sense of a contract, with their addresses."""
    if contract.ended_on is not None and contract.ended_on < today():
        return ()
    names = ("end", "continue") if contract.ended_on is not None else ("end",)
    return tuple(
        (CONTRACT_ACTS[name].title, url_for("staff.contract_act", contract=contract.id, act=name)) for name in names
    )


def _account(number: int) -> Account:
    found: Account | None = Account.select(Account, Customer).join(Customer).where(Account.id == number).first()
    if found is None:
        abort(404)
    return found


def _act(name: str) -> Act:
    return ACCOUNT_ACTS[name] if name in ACCOUNT_ACTS else abort(404)


def acts_for(account: Account) -> tuple[tuple[Text, str], ...]:
    """The acts that make sense of an account, with their addresses."""
    names = ("reopen",) if account.standing == STOPPED else ("stop", "log-out")
    return tuple(
        (ACCOUNT_ACTS[name].title, url_for("staff.account_act", account=account.id, act=name)) for name in names
    )


def _account_page(account: Account, act: Act, foreseen: Foreseen, refusals: Sequence[Refusal] = ()) -> str:
    sessions = len(site().access.sessions.of(account.id, ""))
    facts = (
        (_("ユーザー名"), account.user_name),
        (_("メールアドレス"), account.email),
        (_("権限"), ROLES.get(account.role, account.role)),
        (_("状態"), STANDINGS.get(account.standing, account.standing)),
        (_("開いているログイン"), _("%(count)s件", count=sessions)),
    )
    return _page(account.customer, act, facts, foreseen, refusals)


def _contract_page(contract: Contract, act: Act, last_day: date | None, refusals: Sequence[Refusal] = ()) -> str:
    customer, catalogue = contract.customer, site().catalogue
    terms = contract_terms(contract)
    facts = [
        (CONTRACT_LABELS[name], said(name, getattr(terms, name), contract.product, catalogue))
        for name in ("product", "subdomain", "users", "started_on")
    ]
    facts.append((_("契約の終了日"), day(contract.ended_on) if contract.ended_on is not None else _("登録なし")))
    running = len(running_contracts(customer.id, today()))
    accounts = Account.select().where(Account.customer == customer.id).count()
    facts.append((_("お客様のご利用中のご契約"), _("%(count)s件", count=running)))
    facts.append((_("お客様のアカウント"), _("%(count)s件", count=accounts)))
    facts.append((_("メールでお知らせするアカウント"), _("%(count)s件", count=len(concerned(customer.id)))))
    foreseen = _foresee(act, f"contract:{contract.id}", StaffActInput("", last_day))
    return _page(customer, act, facts, foreseen, refusals, last_day)


def _removal_page(customer: Customer, refusals: Sequence[Refusal] = ()) -> str:
    contracts, accounts = Contract.select().where(Contract.customer == customer.id), _accounts(customer)
    days = [one.ended_on for one in contracts if one.ended_on is not None]
    facts = (
        (_("お客様のご契約"), _("%(count)s件", count=len(contracts))),
        (_("最後のご契約終了日"), day(max(days)) if days else _("登録なし")),
        (_("お客様のアカウント"), _("%(count)s件", count=len(accounts))),
    )
    return _page(customer, REMOVAL, facts, _foresee(REMOVAL, f"customer:{customer.id}"), refusals, also=accounts)


def _page(
    customer: Customer,
    act: Act,
    facts: Sequence[tuple[Text, Text | str]],
    foreseen: Foreseen,
    refusals: Sequence[Refusal],
    last_day: date | None = None,
    also: tuple[int, ...] = (),
) -> str:
    return render_template(
        "staff/customer_act.html",
        customer=customer,
        act=act,
        facts=facts,
        foreseen=foreseen,
        last_day=last_day,
        today=today(),
        seal=foreseen.seal((last_day, *also)),
        refusals=refusals,
        reason=typed_reason(request.form),
    )


# -- foreseeing and doing ----------------------------------------------------------------------------------------------


def _foresee(act: Act, about: str, data: StaffActInput | None = None) -> Foreseen:
    """What the act would do now, with a sample for the reason."""
    sample = replace(data or StaffActInput(""), reason=str(REASON_SAMPLE))
    preview = previewed(act.workflow, about, sample)
    if not isinstance(preview, Preview):
        return Foreseen(preview)
    if not act.ends_requests:
        return Foreseen((), preview.mails)
    staying: Sequence[ChangeRequest] = ()
    if sample.last_day is not None:
        staying = staying_requests(_contract(number_of(about)), sample.last_day)
    return Foreseen((), preview.mails, _requests(open_requests(about, sample.last_day)), _requests(staying))


def _requests(found: Sequence[ChangeRequest]) -> tuple[Ended, ...]:
    where = standing(site().engine, [one.instance for one in found])
    return tuple(_request(one, where[one.instance]) for one in found if one.instance in where)


def _request(one: ChangeRequest, place: Standing) -> Ended:
    definition = site().engine.workflows.get((place.workflow, place.version))
    can = definition is not None and can_be_withdrawn(site().engine, one.instance)
    kind = CHANGE_REQUEST_KINDS.get(one.kind, one.kind)
    return Ended(one.instance, kind, state_title(definition, place.state), can)


def _did(act: Act, about: str) -> bool:
    """Whether this form has done the act, so that it was sent twice."""
    outcome = outcome_of_form()
    if outcome is None:
        return False
    done = site().engine.look(outcome.instance_id).instance
    return (done.workflow, done.about) == (act.workflow, about)


def _do(act: Act, about: str, data: StaffActInput, also: tuple[int, ...] = ()) -> NotDone | None:
    """Do the act once for each form; None where it is done. `also` are the numbers of what else the page showed."""

    def look() -> tuple[tuple[Refusal, ...], str]:
        would = _foresee(act, about, data)
        return would.refusals, would.seal((data.last_day, *also))

    return do_once(act.workflow, about, data, look)


# -- history -----------------------------------------------------------------------------------------------------------


@prepared
def _newest_acts(customer: Any) -> Any:
    of_customer = StaffAct.select().where(StaffAct.customer == customer)
    return of_customer.order_by(StaffAct.instance.desc()).limit(_MOST_SHOWN)


def acts_of(customer: int) -> list[Done]:
    """What staff did to a customer, the newest first."""
    acts = _newest_acts(customer)
    names = names_of({f"staff:{one.member}" for one in acts})
    newest = site().engine.newest
    return [
        Done(
            one.instance,
            _title(newest.get(one.kind), one.kind),
            _called(one.about),
            local_time(one.at),
            names[f"staff:{one.member}"],
            one.reason,
        )
        for one in acts
    ]


def _title(workflow: Workflow | None, name: str) -> Text | str:
    return workflow.title if workflow is not None and workflow.title is not None else name


def _called(about: str) -> str:
    """What an act was about, in words; "" where that is gone."""
    kind, _colon, number = about.partition(":")
    if kind == "account":
        account = Account.get_or_none(Account.id == int(number))
        return account.user_name if account is not None else ""
    if kind == "customer":
        alias = alias_of(int(number))
        return alias.number if alias is not None else ""
    contract = Contract.get_or_none(Contract.id == int(number))
    return str(said("product", contract.product, contract.product, site().catalogue)) if contract is not None else ""

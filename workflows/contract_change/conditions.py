"""What a contract may be changed to: conditions that the page's proposal asks, and the rules once more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date

from engine.definition import Refusal
from engine.text import _
from workflows.business import typed
from workflows.business.catalogue import Catalogue
from workflows.business.typed import Subdomain
from workflows.ports.billing import ContractTerms

CHANGEABLE = ("users", "options", "term", "payment_method")

NOTHING_CHANGES = Refusal("nothing_changes", _("変更する項目がありません。現在のご契約と異なる内容をご指定ください。"))
SEVERAL_CHANGES = Refusal(
    "several_changes", _("一度にお申し込みいただけるのは1項目の変更です。項目ごとにお申し込みください。")
)
NOT_CHANGEABLE = Refusal("not_changeable", _("この項目は、お申し込みでは変更できません。"))
CONTRACT_ENDED = Refusal(
    "contract_ended", _("適用日より前にご契約が終了するため、お申し込みいただくことができません。")
)
NOT_DIRECT = Refusal("not_direct", _("ご契約の形態により、当サイトをご利用いただくことができません。"))
UNKNOWN_PRODUCT = Refusal("product_unknown", _("この製品は取り扱っておりません。"), "product")
ALREADY_HELD = Refusal("product_held", _("この製品は、すでにご契約いただいております。"), "product")
SUBDOMAIN_TAKEN = Refusal(
    "subdomain_taken", _("このサブドメインはご利用いただけません。別のサブドメインをご指定ください。"), "subdomain"
)
UNKNOWN_OPTION = Refusal("option_unknown", _("選択できないサービス／オプションが含まれています。"), "options")
UNKNOWN_TERM = Refusal("term_unknown", _("ご契約種別をお選びください。"), "term")
UNKNOWN_METHOD = Refusal("payment_method_unknown", _("お支払い方法をお選びください。"), "payment_method")


def kind_of(before: ContractTerms | None, after: ContractTerms) -> str | Refusal:
    """The one thing that a request changes: "order", or a name of `CHANGEABLE`. A Refusal for none or several."""
    if before is None:
        return "order"
    changed = [part.name for part in fields(ContractTerms) if getattr(before, part.name) != getattr(after, part.name)]
    if not changed:
        return NOTHING_CHANGES
    if not set(changed) <= set(CHANGEABLE):
        return NOT_CHANGEABLE
    return changed[0] if len(changed) == 1 else SEVERAL_CHANGES


def with_change(now: ContractTerms, kind: str, after: ContractTerms) -> ContractTerms:
    """`now` with only what a request of `kind` changes; anything else that has changed meanwhile stays."""
    return replace(now, **{kind: getattr(after, kind)})


def is_unusual(before: ContractTerms | None, after: ContractTerms, catalogue: Catalogue) -> bool:
    """Whether the number of users changes by so many that it may be mistyped (`Product.unusual_users`)."""
    product = catalogue.products.get(after.product)
    return product is not None and abs(after.users - (before.users if before else 0)) >= product.unusual_users


def faults(before: ContractTerms | None, after: ContractTerms, catalogue: Catalogue) -> Iterator[Refusal]:
    """Why the catalogue does not allow `after`. Terms that stay as they are were allowed once, and are not checked."""
    product = catalogue.products.get(after.product)
    if product is None:
        yield UNKNOWN_PRODUCT
        return
    if before is None:
        wish = typed.subdomain(after.subdomain, catalogue)
        if isinstance(wish, Refusal):
            yield wish
        elif wish != Subdomain(after.subdomain):
            yield SUBDOMAIN_TAKEN
    if (before is None or before.users != after.users) and not (
        product.least_users <= after.users <= product.most_users
    ):
        message = _(
            "ユーザー契約数は%(least)d～%(most)dの範囲でご指定ください。",
            least=product.least_users,
            most=product.most_users,
        )
        yield Refusal("users_out_of_range", message, "users")
    kept = set(before.options) if before is not None else set()
    if not set(after.options) - kept <= set(product.options):
        yield UNKNOWN_OPTION
    if (before is None or before.term != after.term) and after.term not in catalogue.billing_terms:
        yield UNKNOWN_TERM
    if (before is None or before.payment_method != after.payment_method) and (
        after.payment_method not in catalogue.payment_methods
    ):
        yield UNKNOWN_METHOD


def runs_until(ended_on: date | None, effective_on: date) -> bool:
    """Whether a contract with the last day `ended_on` still runs on the day on which a change begins."""
    return ended_on is None or ended_on >= effective_on

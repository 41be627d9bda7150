"""Identifying a customer who applies for an account: a customer number and a subdomain, together."""

from __future__ import annotations

from engine.definition import Refusal
from engine.store.base import Clock
from engine.text import _
from workflows.business import typed
from workflows.business.access.limits import IDENTIFY_NETWORK, IDENTIFY_NUMBER, IDENTIFY_SUBDOMAIN
from workflows.business.access.standing import Standing, named
from workflows.business.access.throttle import Guess, Throttles, network_of, too_many
from workflows.business.catalogue import Catalogue
from workflows.business.records import Contract, Customer, CustomerAlias
from workflows.organisation import Organisation


class Identification:
    """Identifies customers. Not to be called inside a transaction (RuntimeError)."""

    def __init__(
        self,
        catalogue: Catalogue,
        organisation: Organisation,
        standing: Standing,
        throttles: Throttles,
        clock: Clock,
    ) -> None:
        self._catalogue = catalogue
        self._organisation = organisation
        self._standing = standing
        self._throttles = throttles
        self._clock = clock

    def identify(self, customer_number_text: str, subdomain_text: str, remote: str) -> Customer | tuple[Refusal, ...]:
        """The customer with this number and subdomain (G11, G13, G15, G16), or why not (G1, G2).

        What is malformed is told beside its field and is no guess.
        """
        number = typed.customer_number(customer_number_text, self._organisation.customer_number_pattern)
        subdomain = typed.subdomain(subdomain_text, self._catalogue)
        if isinstance(number, Refusal) or isinstance(subdomain, Refusal):
            return tuple(said for said in (number, subdomain) if isinstance(said, Refusal))
        now = self._clock()
        guesses: tuple[Guess, ...] = (
            (IDENTIFY_NETWORK, network_of(remote)),
            (IDENTIFY_NUMBER, number),
            (IDENTIFY_SUBDOMAIN, subdomain.name),
        )
        wait = self._throttles.reserve_all(guesses, now)
        if wait is not None:
            return (too_many(wait),)
        # One query for both: neither its answer nor its time tells which of them was wrong. Then the same for numbers
        # of customers who were merged into another one, who has their contracts.
        holders = Customer.select().join(Contract).where(named(subdomain), Customer.removed_on.is_null())
        customer: Customer | None = holders.where(Customer.number == number).first()
        if customer is None:
            today = CustomerAlias.select(CustomerAlias.customer).where(CustomerAlias.number == number)
            customer = holders.where(Customer.id.in_(today)).first()
        if customer is None:
            message = _("お客様番号またはサブドメインが正しくありません。ご確認のうえ、もう一度ご入力ください。")
            return (Refusal("unknown_customer", message),)
        self._throttles.release_all(guesses, now)
        refusal = self._standing.refusal(customer, now)
        return customer if refusal is None else (refusal,)

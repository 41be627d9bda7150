"""What a payment method is told of who pays, for what: a contract, or an order whose contract begins later."""

from __future__ import annotations

from dataclasses import replace

from workflows.business.records import ChangeRequest, Contract, Customer, Mandate
from workflows.business.shared.change_request import contract_terms_from_json
from workflows.ports.payments import PaymentContext
from workflows.services import Services


def context_of(
    services: Services,
    contract: Contract,
    *,
    request: int = 0,
    language: str = "ja",
    return_url: str = "",
    cancel_url: str = "",
) -> PaymentContext:
    """The facts of a contract and its customer for a payment method."""
    told = _context(services, contract.customer, contract.id, contract.product, contract.subdomain)
    return replace(told, request=request, language=language, return_url=return_url, cancel_url=cancel_url)


def context_of_order(
    services: Services, customer: Customer, product: str, subdomain: str, *, request: int = 0, language: str = "ja"
) -> PaymentContext:
    """The facts of an order and its customer for a payment method; `request` is 0 before it was sent."""
    return replace(_context(services, customer, 0, product, subdomain), request=request, language=language)


def context_of_mandate(
    services: Services, mandate: Mandate, *, language: str = "ja", return_url: str = "", cancel_url: str = ""
) -> PaymentContext:
    """The facts of what a mandate is to pay: its contract; the order that it belongs to, until that has one."""
    if mandate.contract is not None:
        product, subdomain = mandate.contract.product, mandate.contract.subdomain
    else:
        ordered = ChangeRequest.get_by_id(mandate.instance)
        terms = contract_terms_from_json(ordered.after)
        assert terms is not None  # a request always has what it asks for
        product, subdomain = terms.product, terms.subdomain
    told = _context(services, mandate.customer, mandate.contract_id or 0, product, subdomain)
    return replace(told, request=mandate.instance, language=language, return_url=return_url, cancel_url=cancel_url)


def _context(services: Services, customer: Customer, contract: int, product: str, subdomain: str) -> PaymentContext:
    known = services.catalogue.products.get(product)
    billed_elsewhere = bool(customer.billing_address)
    return PaymentContext(
        contract=contract,
        customer_number=customer.number,
        company=customer.company,
        contractor_name=customer.contractor_name,
        postcode=customer.billing_postcode if billed_elsewhere else customer.contractor_postcode,
        address=customer.billing_address if billed_elsewhere else customer.contractor_address,
        phone=customer.contractor_phone,
        product=known.title if known is not None else product,
        subdomain=subdomain,
        today=services.calendar.today(services.clock()),
        organisation=services.organisation,
        document_font=services.document_font,
    )

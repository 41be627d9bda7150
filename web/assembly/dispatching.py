"""What takes effects to plugins: the dispatcher with its renderer, and what takes reports on mails that came back.

Jinja comes with it, so `web.assembly.at_work` imports it where one of these is first asked for.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

from engine.operations.mails import addresses_under
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import HIDDEN_LINK, Renderer
from engine.runtime.engine import Engine
from engine.text import Text, current_language
from web.assembly.parts import Ground, mailer_of
from workflows.business.access.account_links import AccountLinks
from workflows.business.address_marks import ReturnedMails
from workflows.business.mail_frames import FRAMES
from workflows.business.records import Account
from workflows.business.request_number import request_number
from workflows.notice import returned
from workflows.registry import effect_handlers
from workflows.services import Services


def dispatcher(ground: Ground, engine: Engine, services: Services) -> Dispatcher:
    """The dispatcher of the outbox. It shares its renderer with the engine's previews."""
    settings, organisation = ground.settings, ground.organisation
    renderer = Renderer(
        base_url=settings.base_url,
        sender=organisation.mail_from,
        # Names of the default configuration have translations; a company's own are shown as it wrote them.
        site_facts={
            **{name: Text(value) for name, value in asdict(organisation).items()},
            "catalogue": ground.catalogue,
            "calendar": services.calendar,
            "base_url": settings.base_url,
            "review": services.review,
            "request_number": request_number,
            "request_url": partial(_request_url, settings.base_url),
            "account_url": partial(_account_url, settings.base_url, services.account_links),
        },
        link=engine.link,
        hidden_facts={"account_url": lambda account: f"{settings.base_url}/n/{HIDDEN_LINK}?{current_language()}"},
        shared=FRAMES,
    )
    engine.render = renderer.preview
    mailers = ground.plugins.mailers()
    if services.distribution.mailer is not None:
        mailers = {**mailers, mailer_of(settings): services.distribution.mailer}
    handlers = {**effect_handlers(services, engine), **ground.plugins.effect_handlers()}
    return Dispatcher(engine, renderer, mailers=mailers, mailer=mailer_of(settings), handlers=handlers)


def _request_url(base_url: str, instance_id: int) -> str:
    """The address of a request's page, in the language of the mail (`web.http.application.InReadersLanguage`). It ends
    in a letter, as G24 wants the address in a mail."""
    return f"{base_url}/contracts/requests/{request_number(instance_id)}?{current_language()}"


def _account_url(base_url: str, links: AccountLinks, account: Account) -> str:
    """The address by which the contractor confirms or stops a new account, in the language of the mail."""
    return f"{base_url}/n/{links.text(account)}?{current_language()}"


def returned_mails(ground: Ground, engine: Engine, renderer: Renderer) -> ReturnedMails:
    """What takes reports on mails that came back: it knows those of procedures, and those of notices."""
    of_procedures = partial(addresses_under, engine, renderer)
    return ReturnedMails((of_procedures, returned.addresses_under), ground.clock)

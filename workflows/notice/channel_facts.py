"""Facts for notice channels: a notice, a revision and a recipient, in the shapes of the port."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial

from engine.delivery import Deferred, Failed, Message, Outcome, send_to_all
from engine.plugins.breakers import NotNow, TooSlow
from engine.text import Text, _
from workflows.business import address_marks
from workflows.business.address_marks import AddressMark
from workflows.business.customer_aliases import customer_now
from workflows.notice.board import KINDS, progress_of, titles_of
from workflows.notice.mailing import EVERYBODY
from workflows.notice.records import Notice, NoticeRevision
from workflows.notice.turns import TURNS
from workflows.ports.notice_channels import NoticeRecipient, PublishedNotice, PublishedRevision
from workflows.services import Services

log = logging.getLogger("tetsuzuki.notices")


class ChannelFacts:
    """Builds the port's shapes from records, in the site's time zone. Thread-safe."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._distribution = services.distribution

    def published(self, notice: Notice) -> PublishedNotice:
        """A notice in the shape for channels."""
        titles = {name: product.title for name, product in self._services.catalogue.products.items()}
        return PublishedNotice(
            notice.id,
            notice.kind,
            KINDS[notice.kind],
            titles_of(notice.products, titles),
            f"{self._distribution.base_url.rstrip('/')}/notices/{notice.id}",
            self._services.organisation,
        )

    def revision(self, notice: Notice, revision: NoticeRevision) -> PublishedRevision:
        """A revision in the shape for channels, in the site's time zone."""
        zone = self._services.calendar.zone
        now = self._services.clock()
        window = revision.window_start, revision.window_end
        progress = progress_of(notice.kind, revision.status, window, now)
        return PublishedRevision(
            number=revision.number,
            at=(revision.at or now).astimezone(zone),
            title_ja=revision.title_ja,
            body_ja=revision.body_ja,
            title_en=revision.title_en,
            body_en=revision.body_en,
            status=progress.title if progress is not None and revision.status else None,
            window_start=window[0].astimezone(zone) if window[0] is not None else None,
            window_end=window[1].astimezone(zone) if window[1] is not None else None,
            turn=revision.turn,
            turn_title=TURNS.get(revision.turn),
        )

    def recipient(self, reference: str) -> NoticeRecipient | None:
        """The recipient that a row names, with the mailer that a channel may use; None where the customer was
        removed. Who was merged into another one is that one."""
        sender = self._services.organisation.mail_from
        if reference == EVERYBODY:
            return NoticeRecipient(reference, sender=sender, post=self._post)
        customer = customer_now(int(reference.partition(":")[2]))
        if customer is None or customer.removed_on is not None:
            return None
        return NoticeRecipient(
            reference,
            customer.contractor_email,
            customer.company,
            customer.contractor_name,
            sender,
            partial(self._post, mark=address_marks.holds_notices(customer.contractor_email)),
            customer.number,
            customer.contractor_language,
        )

    def _post(self, message: Message, key: str, mark: AddressMark | None = None) -> Outcome:
        if mark is not None and mark.email in message.to + message.cc:
            return Failed(f"address_{mark.kind}", f"{mark.status} {mark.words}".strip())
        mailer = self._distribution.mailer
        if mailer is None:
            return Deferred("the mailer of this site is not loaded")
        return send_to_all(mailer, message, key)


def previews(services: Services, notice: Notice, revision: NoticeRevision) -> Iterator[tuple[Text | str, Message]]:
    """What each channel would send to a contractor, by the channel's title. Nothing is sent."""
    facts = ChannelFacts(services)
    sample = NoticeRecipient(
        "preview",
        "keiyakusha@example.jp",
        str(_("（ご契約者様の会社名）")),
        str(_("（ご契約者名）")),
        services.organisation.mail_from,
    )
    for name, channel in sorted(services.distribution.channels.items()):
        try:
            message = channel.preview(facts.published(notice), facts.revision(notice, revision), sample)
        except (NotNow, TooSlow) as error:
            log.warning("notice %s: no preview: %s", notice.id, error)
            continue
        except (Exception, SystemExit):
            log.exception("notice %s: channel %s cannot show what it would send", notice.id, name)
            continue
        if isinstance(message, Message):
            yield channel.title, message

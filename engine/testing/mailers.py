"""Kits of mailers, of both versions of the border, and of filters of mails."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from inspect import signature
from typing import Any

from engine.delivery import (
    Accepted,
    AnyMailer,
    Deferred,
    Failed,
    Mailer,
    MailHeld,
    Message,
    RecipientMailer,
    hand_over,
    mailer_version,
    send_to_all,
)
from engine.plugins.mail_filters import changed
from engine.testing.calls import KANJI, LONGEST, in_time, not_now, ordinary_mail
from engine.text import LANGUAGES, reading_in

_THREADS = 8


class _EveryMailerContract(ABC):
    """The contract of a mailer of either version. `longest` is how many seconds a mail may take that hangs."""

    longest = LONGEST

    @abstractmethod
    def mailer(self) -> AnyMailer:
        """A mailer that is ready to send."""

    def down(self) -> AnyMailer | None:
        """A mailer whose server is gone; None where it needs none."""
        return None

    def hanging(self) -> AnyMailer | None:
        """A mailer whose server takes its calls and never answers; None where it needs none."""
        return None

    def message(self) -> Message:
        """An ordinary mail that the mailer can send."""
        return ordinary_mail()

    def test_it_takes_a_mail(self) -> None:
        assert isinstance(send_to_all(self.mailer(), self.message(), "1.1.0.contract"), Accepted)

    def test_it_takes_the_same_mail_again(self) -> None:
        mailer = self.mailer()
        for _ in range(2):
            assert isinstance(send_to_all(mailer, self.message(), "1.1.0.contract"), Accepted)

    def test_what_cannot_be_sent_fails_and_raises_nothing(self) -> None:
        """A line break in a header would let a text write headers of its own."""
        for wrong in (
            replace(self.message(), subject="Hello\nBcc: all@example.jp"),
            replace(self.message(), to=("reader@example.jp\nRCPT TO:<all@example.jp>",)),
            replace(self.message(), to=("no address",)),
        ):
            assert isinstance(send_to_all(self.mailer(), wrong, "1.1.0.contract"), Failed)

    def test_names_and_headings_in_kanji_are_taken(self) -> None:
        """Letters beyond JIS X 0208 and beyond the basic plane, and a heading that must be folded."""
        heading, text = f"【重要】{KANJI} 様：" + "ご契約内容の変更" * 12, f"{KANJI} 様\n\n変更を承りました。\n"
        named = replace(self.message(), subject=heading, text=text, html=f"<p>{text}</p>")
        assert isinstance(send_to_all(self.mailer(), named, "1.1.0.contract"), Accepted)

    def test_a_server_that_is_gone_or_hangs_has_not_taken_the_mail_and_is_tried_again(self) -> None:
        for in_trouble in (self.down, self.hanging):
            mailer = in_trouble()
            if mailer is not None:
                not_now(partial(send_to_all, mailer, self.message(), "1.1.0.contract"), self.longest)

    def test_it_is_called_from_several_threads_at_once(self) -> None:
        mailer = self.mailer()
        mails = [replace(self.message(), message_id=f"{number}.1.0.contract@example.jp") for number in range(_THREADS)]
        with ThreadPoolExecutor(_THREADS) as pool:
            outcomes = list(pool.map(lambda mail: send_to_all(mailer, mail, mail.message_id), mails))
        assert all(isinstance(outcome, Accepted | Deferred) for outcome in outcomes)

    def test_what_it_says_of_its_slowness_is_a_duration(self) -> None:
        assert isinstance(getattr(self.mailer(), "longest", timedelta(0)), timedelta)


class MailerContract(_EveryMailerContract):
    """The contract of a mailer of version 1, as tests. Subclasses define `mailer`, which can deliver `message`."""

    @abstractmethod
    def mailer(self) -> Mailer:
        """A mailer that is ready to send."""

    def test_it_answers_one_outcome(self) -> None:
        assert isinstance(self.mailer().send(self.message(), "1.1.0.contract"), Accepted | Deferred | Failed)


class RecipientMailerContract(_EveryMailerContract):
    """The contract of a mailer of version 2, as tests. Subclasses define `mailer`, which can deliver `message`."""

    @abstractmethod
    def mailer(self) -> RecipientMailer:
        """A mailer that is ready to send."""

    def test_it_says_its_version(self) -> None:
        assert mailer_version(self.mailer()) == 2

    def test_it_answers_for_each_recipient_whom_it_was_given_and_no_other(self) -> None:
        mail = replace(self.message(), cc=("copy@example.jp",))
        for recipients in (mail.to + mail.cc, mail.to, mail.cc):
            answered = self.mailer().send(mail, "1.1.0.contract", recipients)
            assert set(answered) == set(recipients)
            assert all(isinstance(outcome, Accepted | Deferred | Failed) for outcome in answered.values())

    def test_a_recipient_who_cannot_be_written_to_costs_the_other_nothing(self) -> None:
        mail = replace(self.message(), cc=("no address",))
        answered = hand_over(self.mailer(), mail, "1.1.0.contract", mail.to + mail.cc)
        assert isinstance(answered[mail.to[0]], Accepted)
        assert isinstance(answered["no address"], Failed)


class MailFilterContract(ABC):
    """The contract of every filter of mails, as tests. Subclasses define `plugin`.

    `longest` is how many seconds a look at a mail may take. The site waits for 5.
    """

    longest = LONGEST

    @abstractmethod
    def plugin(self) -> Any:
        """The plugin, as the site constructs it."""

    def messages(self) -> Sequence[Message]:
        """Mails that it is to look at, each that it treats in another way."""
        return (ordinary_mail(),)

    def test_what_it_answers_is_taken_in_every_language(self) -> None:
        for message in self.messages():
            for language in LANGUAGES:
                self._looked(replace(message, language=language))

    def test_a_second_look_at_a_mail_brings_what_the_first_one_brought(self) -> None:
        for message in self.messages():
            assert self._looked(message) == self._looked(message)

    def test_a_mail_without_html_and_with_a_copy_is_a_mail_too(self) -> None:
        for message in self.messages():
            self._looked(replace(message, html="", cc=("copy@example.jp",)))

    def test_it_is_called_from_several_threads_at_once(self) -> None:
        message = self.messages()[0]
        with ThreadPoolExecutor(_THREADS) as pool:
            assert len(set(pool.map(self._looked, [message] * _THREADS))) == 1

    def _looked(self, message: Message) -> Message | MailHeld:
        """The mail as it goes on. Raises where the answer would not be taken."""
        ask = self.plugin().filter_mails
        given = {"message": message, "recipients": message.to + message.cc}
        with reading_in(message.language):
            named = {name: given[name] for name in given if name in signature(ask).parameters}
            answer = in_time(partial(ask, **named), self.longest)
        if isinstance(answer, MailHeld):
            assert isinstance(answer.reason, str)
            assert answer.reason.strip()
            return answer
        return message if answer is None else changed(message, answer)

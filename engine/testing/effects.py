"""Kits of effect handlers and of listeners."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial

from engine.delivery import (
    Accepted,
    Deferred,
    Delivery,
    EffectHandler,
    Failed,
    Heard,
    Listener,
)
from engine.testing.calls import LONGEST, not_now
from engine.testing.mailers import _THREADS


class EffectHandlerContract(ABC):
    """The contract of every effect handler, as tests. Subclasses define `handler`, which can carry out `delivery`.

    `longest` is how many seconds an effect may take that hangs.
    """

    longest = LONGEST

    @abstractmethod
    def handler(self) -> EffectHandler:
        """A handler that is ready to deliver."""

    @abstractmethod
    def delivery(self) -> Delivery:
        """An effect that the handler can carry out."""

    def down(self) -> EffectHandler | None:
        """A handler whose other side is gone; None where it needs none."""
        return None

    def hanging(self) -> EffectHandler | None:
        """A handler whose other side takes its calls and never answers; None where it needs none."""
        return None

    def test_it_carries_an_effect_out(self) -> None:
        assert isinstance(self.handler().deliver(self.delivery(), "1.1.0.contract"), Accepted)

    def test_it_carries_the_same_effect_out_again(self) -> None:
        handler = self.handler()
        for _ in range(2):
            assert isinstance(handler.deliver(self.delivery(), "1.1.0.contract"), Accepted)

    def test_what_is_gone_or_hangs_has_not_carried_it_out_and_is_tried_again(self) -> None:
        for in_trouble in (self.down, self.hanging):
            handler = in_trouble()
            if handler is not None:
                not_now(partial(handler.deliver, self.delivery(), "1.1.0.contract"), self.longest)

    def test_it_is_called_from_several_threads_at_once(self) -> None:
        handler = self.handler()
        with ThreadPoolExecutor(_THREADS) as pool:
            outcomes = list(pool.map(lambda n: handler.deliver(self.delivery(), f"{n}.1.0.contract"), range(_THREADS)))
        assert all(isinstance(outcome, Accepted | Deferred) for outcome in outcomes)


class ListenerContract(ABC):
    """The contract of every listener, as tests. Subclasses define `listener`, which can take notice of `transition`.

    `longest` is how many seconds a call may take that hangs.
    """

    longest = LONGEST

    @abstractmethod
    def listener(self) -> Listener:
        """A listener that is ready to hear."""

    @abstractmethod
    def transition(self) -> Heard:
        """A transition of a workflow that the listener hears of."""

    def down(self) -> Listener | None:
        """A listener whose other side is gone; None where it needs none."""
        return None

    def hanging(self) -> Listener | None:
        """A listener whose other side takes its calls and never answers; None where it needs none."""
        return None

    def test_it_names_what_it_hears_of(self) -> None:
        listener = self.listener()
        assert not isinstance(listener.workflows, str)
        assert not listener.workflows or self.transition().workflow in listener.workflows

    def test_it_takes_notice_and_once_more_under_the_same_key(self) -> None:
        listener = self.listener()
        for _ in range(2):
            assert isinstance(listener.hear(self.transition(), "1.1.0.contract"), Accepted)

    def test_a_state_that_it_does_not_know_is_no_error(self) -> None:
        unknown = replace(self.transition(), event="of_a_later_version", target="in_a_later_version")
        assert isinstance(self.listener().hear(unknown, "1.2.0.contract"), Accepted | Deferred | Failed)

    def test_what_happened_later_to_another_instance_may_be_heard_first(self) -> None:
        """One instance is told in the order of history; several are told in any."""
        listener, now = self.listener(), self.transition()
        later = replace(now, instance_id=now.instance_id + 1, at=now.at + timedelta(hours=1))
        for heard in (later, now):
            assert isinstance(listener.hear(heard, f"{heard.instance_id}.1.0.contract"), Accepted)

    def test_what_is_gone_or_hangs_has_heard_nothing_and_is_told_again(self) -> None:
        for in_trouble in (self.down, self.hanging):
            listener = in_trouble()
            if listener is not None:
                not_now(partial(listener.hear, self.transition(), "1.1.0.contract"), self.longest)

    def test_it_is_called_from_several_threads_at_once(self) -> None:
        listener = self.listener()
        heard = [replace(self.transition(), instance_id=number) for number in range(1, _THREADS + 1)]
        with ThreadPoolExecutor(_THREADS) as pool:
            outcomes = list(pool.map(lambda one: listener.hear(one, f"{one.instance_id}.1.0.contract"), heard))
        assert all(isinstance(outcome, Accepted | Deferred) for outcome in outcomes)

"""What a plugin answers is one of three outcomes, and anything else means: not now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine.delivery import Accepted, Deferred, Delivery, Failed, Message, outcome_of

MADE: Any = {"accepted": Accepted, "deferred": Deferred, "failed": Failed}


def test_an_outcome_of_the_right_fields_is_taken_as_it_is() -> None:
    for answer in (
        Accepted(),
        Accepted("250 OK"),
        Failed("unsendable"),
        Failed("unsendable", "no address"),
        Deferred("busy"),
        Deferred("busy", timedelta(seconds=-1)),
        Deferred("busy", timedelta(days=366)),
        Deferred("another goes first", None, "", True),
        Deferred("another goes first", timedelta(minutes=1), waits=True),
    ):
        assert outcome_of(answer) == answer


def test_nobody_waits_longer_than_a_year() -> None:
    assert outcome_of(Deferred("busy", timedelta(days=366, microseconds=1))) == Deferred("busy", timedelta(days=366))
    longest = Deferred("busy", timedelta.max, "451 later", True)
    assert outcome_of(longest) == Deferred("busy", timedelta(days=366), "451 later", True)


def test_an_outcome_with_a_wrong_field_and_what_is_none_are_deferred() -> None:
    for name, fields in (
        ("accepted", (5,)),
        ("failed", (5,)),
        ("failed", ("code", None)),
        ("deferred", (5,)),
        ("deferred", (5, timedelta(1))),
        ("deferred", ("busy", 60)),
        ("deferred", ("busy", None, "", 1)),
        ("deferred", ("busy", timedelta(1), "", "yes")),
    ):
        answer = MADE[name](*fields)
        kind = name.title()
        assert outcome_of(answer) == Deferred(f"the plugin answered {kind} with a field of a wrong type")
    for wrong, kind in ((None, "NoneType"), (True, "bool"), ("ok", "str"), (Accepted, "type")):
        assert outcome_of(wrong) == Deferred(f"the plugin answered {kind}, which is no outcome")


def test_what_is_left_unsaid_of_a_mail_and_an_effect() -> None:
    mail = Message("a@b", "s@b", ("r@b",), "subject", "a secret link", "<p>a secret link</p>")
    assert (mail.language, mail.cc) == ("ja", ())
    assert "secret" not in repr(mail)
    assert Delivery("letter", "reminder", "author", "paper:1", {}, "ja").instance_id == 0


def test_what_a_delivery_is_about_answers_to_its_name_of_before_and_says_so() -> None:
    one = Delivery("letter", "reminder", "author", "paper:1", {}, "ja")
    with pytest.warns(DeprecationWarning, match=r"^Delivery\.subject is now Delivery\.about; "):
        assert one.subject == "paper:1"


def test_the_number_of_its_instance_answers_to_its_name_of_before_and_says_so() -> None:
    one = Delivery("letter", "reminder", "author", "paper:1", {}, "ja", 7)
    with pytest.warns(DeprecationWarning, match=r"^Delivery\.instance is now Delivery\.instance_id; "):
        assert one.instance == 7

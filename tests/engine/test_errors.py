"""Each error says itself: in a sentence, with the HTTP status that fits, and whole to an operator."""

from __future__ import annotations

from engine import errors
from engine.attempt import Location, Refusal
from engine.configuration import Place, Problem
from engine.errors import EngineError, Refused, RuleError, SettingsError, TimerBroken
from engine.text import Text, _, reading_in

STATUS = {
    403: {"Forbidden"},
    404: {"UnknownInstance", "UnknownEffect"},
    409: {
        "EventNotPossible",
        "CannotMove",
        "NeedsChoice",
        "Paused",
        "TransitionConflict",
        "StaleForm",
        "KeyReused",
    },
    422: {"Refused", "ExtensionFailed", "InvalidMapping"},
    503: {"Busy", "DatabaseAway", "OutcomeUnknown", "TimerBroken", "CatchingUp"},
}


def test_each_error_has_the_status_that_fits_and_500_where_it_is_ours() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EngineError)]
    special = {name: status for status, names in STATUS.items() for name in names}
    assert {kind.__name__: kind.status for kind in kinds} == {kind.__name__: 500 for kind in kinds} | special


def test_an_error_says_what_it_was_given_or_the_first_line_of_its_docstring() -> None:
    assert str(errors.UnknownEffect()) == "該当する処理が見つかりません。"
    with reading_in("en"):
        assert str(errors.Paused()) == (
            "This procedure is paused for now. Nothing was changed; please try again once it has been resumed."
        )
        assert str(errors.Busy("not now")) == "not now"
        assert errors.Busy("not now").message == Text("not now")
        assert errors.Busy("not now").args == ("not now",)
        assert str(errors.Busy(_("どなたでも"))) == "Anybody"
        assert errors.Busy("").in_full == (
            "Busy: The database is busy. Nothing was changed; please try again in a moment."
        )

    class Bare(EngineError):
        pass

    Bare.__doc__ = None
    assert str(Bare()) == ""


def test_a_refusal_says_its_first_reason_and_to_an_operator_all_of_them() -> None:
    full, late = Refusal("full", Text("It is full.")), Refusal("late", Text("It is late."))
    refused = Refused([full, late])
    assert (refused.refusals, refused.refusal, str(refused)) == ((full, late), full, "It is full.")
    assert refused.in_full == "full: It is full.; late: It is late."
    assert Refused([]).message == Text("A rule of the procedure does not allow this now.")


def test_a_broken_rule_says_where_it_is_asked() -> None:
    def broken(state: str) -> RuleError:
        where = Location("a.py", 7)
        return RuleError("it answered 5", workflow="review", version=2, state=state, rule="is_short", where=where)

    one = broken("open")
    assert (one.workflow, one.version, one.state, one.rule, one.where) == (
        "review",
        2,
        "open",
        "is_short",
        Location("a.py", 7),
    )
    assert str(one) == "workflow 'review' version 2, state 'open', is_short (written at a.py:7): it answered 5"
    assert str(broken("")) == "workflow 'review' version 2, the start, is_short (written at a.py:7): it answered 5"


def test_a_broken_timer_says_whose_it_is_where_that_is_known() -> None:
    bare, known = TimerBroken(), TimerBroken(7, "expire", 2, "division by zero")
    assert (bare.instance_id, bare.event, bare.kept, bare.why) == (0, "", 0, "")
    assert (
        bare.message.msgid
        == "An automatic step of this procedure has failed. Staff have been told; please try again later."
    )
    assert (known.instance_id, known.event, known.kept, known.why) == (7, "expire", 2, "division by zero")
    assert str(known) == "instance 7: the timer 'expire' cannot fire: division by zero"


def test_wrong_settings_are_told_a_line_each() -> None:
    found = [Problem(Place("a.toml", key), ": it is wrong") for key in ("one", "two")]
    said = SettingsError(iter(found))
    assert said.problems == tuple(found)
    assert str(said) == "\n".join(map(str, found))
    assert SettingsError().problems == ()
    assert SettingsError().message == Text("Settings are wrong.")

"""定期処理: a schedule of a plugin, from when it is declared until the plugin declares it no more.

One state for each policy for missed times, because a policy belongs to the timer. `declare` leads through `declared`,
where the policy is read anew. A plugin that is gone cannot say that it declares a schedule no more: an operator retires
it then. An occurrence is an effect without a `done`: it is tried beside the state, and the next
ones wait behind it.
"""

from datetime import timedelta

from engine.definition import OPERATOR, SYSTEM, Effect, Retry, Start, State, Timer, Transition, Workflow
from engine.text import _
from workflows.schedule import rules

_RUN = Effect("schedule", rules.RUN, figures=rules.occurrence, retry=Retry(deadline=timedelta(hours=24)))
_PLANNED = ("once", "each", "skip")

SCHEDULE = Workflow(
    name="schedule",
    version=1,
    title=_("定期処理"),
    start=Start("declared", allow=SYSTEM, writes=(rules.keep_declaration,), conflicts=(rules.KEPT,)),
    states=(
        State("declared", _("登録済み"), timers=(Timer("plan", at=rules.at_once),)),
        State("once", _("待機中（できなかった回は1回にまとめる）"), timers=(Timer("run", at=rules.next_time),)),
        State(
            "each",
            _("待機中（できなかった回も1回ずつ行う）"),
            timers=(Timer("run", at=rules.next_time, missed="each"),),
        ),
        State("skip", _("待機中（できなかった回は見送る）"), timers=(Timer("run", at=rules.next_time, missed="skip"),)),
        State("retired", _("登録解除"), final=True),
    ),
    transitions=(
        Transition("plan", ("declared",), "once", allow=SYSTEM, guards=(rules.missed_run_once,)),
        Transition("plan", ("declared",), "each", allow=SYSTEM, guards=(rules.missed_run_each,)),
        Transition("plan", ("declared",), "skip", allow=SYSTEM),
        Transition("run", ("once",), "once", allow=SYSTEM, guards=(rules.last_run_is_done,), effects=(_RUN,)),
        Transition("run", ("once",), "once", allow=SYSTEM),
        Transition("run", ("each",), "each", allow=SYSTEM, effects=(_RUN,)),
        Transition("run", ("skip",), "skip", allow=SYSTEM, guards=(rules.last_run_is_done,), effects=(_RUN,)),
        Transition("run", ("skip",), "skip", allow=SYSTEM),
        Transition("declare", ("declared", *_PLANNED), "declared", allow=SYSTEM, writes=(rules.take_declaration,)),
        Transition("undeclare", ("declared", *_PLANNED), "retired", allow=SYSTEM, writes=(rules.forget_declaration,)),
        Transition(
            "retire",
            ("declared", *_PLANNED),
            "retired",
            allow=OPERATOR,
            title=_("登録を解除する"),
            writes=(rules.forget_declaration,),
        ),
    ),
)

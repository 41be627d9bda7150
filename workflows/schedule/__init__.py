"""定期処理: recurrent work that plugins declare, one instance for each schedule (`workflows.ports.schedules`)."""

from workflows.procedure import Procedure
from workflows.schedule.declaring import keep_declared
from workflows.schedule.effect import RunEffect
from workflows.schedule.inputs import Declaration
from workflows.schedule.plugin_needs import schedules
from workflows.schedule.records import ScheduleRecord
from workflows.schedule.standing import Standing, standings
from workflows.schedule.workflow import SCHEDULE

__all__ = ["PROCEDURE", "SCHEDULE", "Declaration", "ScheduleRecord", "Standing", "standings"]

PROCEDURE = Procedure(
    (SCHEDULE,),
    effects={"schedule": lambda services, _engine: RunEffect(services.schedules, services.clock)},
    records=(ScheduleRecord,),
    chores=(keep_declared,),
    plugin_needs=(schedules,),
)

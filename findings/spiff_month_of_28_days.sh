#!/bin/sh
# SpiffWorkflow 3.2.0 measures the month of a BPMN timeCycle once: what repeats monthly from February on, `R/…/P1M`,
# repeats every 28 days, 13 times a year, and what begins in January every 31 days.
#
# ISO 8601 calls P1M a calendar month; the next occurrence after 1 February is 1 March, and then 1 April.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet SpiffWorkflow==3.2.0 time-machine==2.16.0
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import sys
from datetime import UTC, datetime, timedelta

import time_machine
from lxml import etree
from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.parser import BpmnParser
from SpiffWorkflow.util.task import TaskState

MODEL = """
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="urn:example">
 <bpmn:process id="review" isExecutable="true">
  <bpmn:startEvent id="begin"/><bpmn:sequenceFlow id="a" sourceRef="begin" targetRef="decide"/>
  <bpmn:userTask id="decide"/><bpmn:sequenceFlow id="b" sourceRef="decide" targetRef="end"/><bpmn:endEvent id="end"/>
  <bpmn:boundaryEvent id="again" cancelActivity="false" attachedToRef="decide">
   <bpmn:timerEventDefinition><bpmn:timeCycle>"%s"</bpmn:timeCycle></bpmn:timerEventDefinition>
  </bpmn:boundaryEvent>
  <bpmn:sequenceFlow id="c" sourceRef="again" targetRef="remind"/>
  <bpmn:scriptTask id="remind"><bpmn:script>reminded = True</bpmn:script></bpmn:scriptTask>
  <bpmn:sequenceFlow id="d" sourceRef="remind" targetRef="said"/><bpmn:endEvent id="said"/>
 </bpmn:process>
</bpmn:definitions>
"""


def running(cycle):
    parser = BpmnParser()
    parser.add_bpmn_xml(etree.fromstring(MODEL % cycle), "review.bpmn")
    workflow = BpmnWorkflow(parser.get_spec("review"))
    look(workflow)
    return workflow


def look(workflow):
    workflow.do_engine_steps()
    workflow.refresh_waiting_tasks()
    workflow.do_engine_steps()


def reminders(workflow):
    return sum(task.task_spec.name == "remind" and task.state == TaskState.COMPLETED for task in workflow.get_tasks())


def days_of(begin):
    workflow, seen = running(f"R/{begin:%Y-%m-%d}T00:00:00+00:00/P1M"), []
    for _ in range(200):
        clock.shift(timedelta(days=1))
        look(workflow)
        if reminders(workflow) > len(seen):
            seen.append(datetime.now(UTC).date())
    return [(later - earlier).days for earlier, later in zip(seen, seen[1:], strict=False)][:5]


with time_machine.travel(datetime(2025, 12, 31, 12, tzinfo=UTC), tick=False) as clock:
    january = days_of(datetime(2026, 1, 1))
    clock.move_to(datetime(2026, 1, 31, 12, tzinfo=UTC))
    february = days_of(datetime(2026, 2, 1))
print("days from one to the next, from January on:", january)
print("days from one to the next, from February on:", february)
sys.exit(0 if january == [31] * 5 and february == [28] * 5 else 1)
PROGRAM

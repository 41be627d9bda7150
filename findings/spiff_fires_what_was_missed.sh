#!/bin/sh
# SpiffWorkflow 3.2.0 fires every missed occurrence of a BPMN timeCycle when it looks again: an hourly reminder, `R/PT1H`,
# runs 48 times within one look after 48 hours without a process, and cannot be told otherwise.
#
# BPMN 2.0 (§10.5.5) says that a cycle repeats, and nothing of those that were missed.
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


with time_machine.travel(datetime(2026, 1, 1, tzinfo=UTC), tick=False) as clock:
    workflow = running("R/PT1H")
    clock.shift(timedelta(hours=48, minutes=30))
    look(workflow)
    first = reminders(workflow)
    look(workflow)
    print("reminders after one look:", first, "and after another:", reminders(workflow))
    sys.exit(0 if first == reminders(workflow) == 48 else 1)
PROGRAM

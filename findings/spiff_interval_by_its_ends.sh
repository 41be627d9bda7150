#!/bin/sh
# SpiffWorkflow 3.2.0 cannot read a repeating interval that is given by its start and its end, `R3/start/end`: a timer
# that says so dies of an AttributeError, while `R3/start/duration` and `R3/duration/end` are read.
#
# All three are forms of ISO 8601-1:2019 §5.6, to which BPMN 2.0 (§10.5.5) leaves what a timeCycle says.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet SpiffWorkflow==3.2.0
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import sys

from SpiffWorkflow.bpmn.specs.event_definitions.timer import TimerEventDefinition

read = TimerEventDefinition.parse_iso_recurring_interval
print(read("R3/2026-01-01T00:00:00+00:00/P1D"))
print(read("R3/P1D/2026-01-02T00:00:00+00:00"))
try:
    print(read("R3/2026-01-01T00:00:00+00:00/2026-01-02T00:00:00+00:00"))
except AttributeError as error:
    print("AttributeError:", error)
else:
    sys.exit(1)
PROGRAM

"""What the probes of a site answer."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask


def ready(app: Flask) -> tuple[int, dict[str, Any]]:
    answer = app.test_client().get("/readyz")
    said = json.loads(answer.text)
    assert said["ready"] == (answer.status_code == 200)
    return answer.status_code, said["checks"]

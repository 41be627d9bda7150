"""Asks each environment over HTTP how much disk space it uses.

Settings under `[plugins.http_usage]` are the fields of `HttpUsage.Config`; without `url` the source is not registered.
The server must answer 200 with `Content-Type: application/json` and at most 64 KiB:

    {"used": 8804682956, "limit": 10737418240, "measured_at": "2026-04-01T04:00:00+09:00"}

`used` and `limit` are whole bytes; `limit` is null where there is none. `measured_at` is ISO 8601 with its offset: when
the figure was measured, not when it was asked for. Other keys are ignored.
"""

from plugins.http_usage.source import HttpUsage

__all__ = ["HttpUsage"]

"""お知らせ (G7, G29): outages and maintenance, support news; how staff publish them and how they reach customers."""

from workflows.notice.workflow import NOTICE

__all__ = ["NOTICE"]

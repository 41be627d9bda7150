"""Disk usage of an environment (G27): what a plugin that measures it answers, and how a page asks for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from engine.store import database
from engine.text import Text, _

GIGABYTE = 1 << 30  # bytes, as disk quotas are counted

NOT_CONFIGURED = _("このサイトからは、ディスク使用容量を確認できない設定になっています。")
NO_ANSWER = _("貴社環境から応答がありませんでした。")
UNREADABLE = _("貴社環境の応答から、ディスク使用容量を読み取れませんでした。")

_MOST_THREADS = 8
_SPARE = 0.75  # of the time is the source's; the rest is for what it does with the answer

log = logging.getLogger("tetsuzuki.usage")


@dataclass(frozen=True, slots=True)
class Environment:
    """Which environment is asked about."""

    product: str
    subdomain: str
    url: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes used, of `limit` bytes (None where there is no limit), as measured at `measured_at` (aware)."""

    used: int
    limit: int | None
    measured_at: datetime


@dataclass(frozen=True, slots=True)
class UsageUnavailable:
    """There is no figure, why, and the last one that there was."""

    reason: Text
    last: Usage | None = None


class DiskUsage(Protocol):
    """Measures environments. Called outside any transaction, from several threads at once."""

    def usage(self, environment: Environment, timeout: timedelta) -> Usage | UsageUnavailable:
        """The usage now, or within `timeout` why not. An exception counts as not available."""


def measured(
    source: DiskUsage | None, environments: Sequence[Environment], within: timedelta = timedelta(seconds=2)
) -> list[Usage | UsageUnavailable]:
    """The usage of each environment, in their order: all at once, and within `within` whatever the source does.

    To be called outside any transaction. Without a source, or where it breaks, each is `UsageUnavailable`.
    """
    if source is None:
        return [UsageUnavailable(NOT_CONFIGURED) for _environment in environments]
    if not environments:
        return []
    pool = ThreadPoolExecutor(min(len(environments), _MOST_THREADS), thread_name_prefix="usage")
    asked = [pool.submit(_asked, source, environment, within * _SPARE) for environment in environments]
    done, _late = wait(asked, timeout=within.total_seconds())
    pool.shutdown(wait=False, cancel_futures=True)
    return [one.result() if one in done else UsageUnavailable(NO_ANSWER) for one in asked]


def _asked(source: DiskUsage, environment: Environment, timeout: timedelta) -> Usage | UsageUnavailable:
    try:
        return source.usage(environment, timeout)
    except Exception:  # a plugin's: the page is shown all the same
        log.exception("disk usage of %s %s", environment.product, environment.subdomain)
        return UsageUnavailable(NO_ANSWER)
    finally:
        if not database.obj.is_closed():  # the thread ends here, and its connection with it
            database.obj.close()

"""The inputs of a notice, as staff typed them and normalised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from engine.definition import Refusal
from engine.text import Text, _
from workflows.business import prose
from workflows.business.typed import normalise, single_line
from workflows.notice.board import KINDS

LONGEST_TITLE = 200  # as NoticeRevision.title_ja
_YEARS = range(2000, 2101)
_LONGEST_MOMENT = 19  # with seconds


@dataclass(frozen=True, slots=True)
class Wording:
    """Title and body in both languages; the English ones may be "", and Japanese is then shown."""

    title_ja: str
    body_ja: str
    title_en: str = ""
    body_en: str = ""


@dataclass(frozen=True, slots=True)
class DraftInput:
    """A notice before its publication. `notice` is its id; times are aware."""

    notice: str
    kind: str
    products: tuple[str, ...]
    wording: Wording
    status: str = ""
    window_start: datetime | None = None
    window_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class PublishInput:
    """Whether the notice is announced, and when it is published; `publish_at` is None for now.

    `channels` are the names of the channels that announce it; None, with `notify`, means all that there are.
    """

    notify: bool
    publish_at: datetime | None = None
    channels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class UpdateInput:
    """A further revision of a notice; `channels` as in `PublishInput`."""

    wording: Wording
    notify: bool
    status: str = ""
    window_start: datetime | None = None
    window_end: datetime | None = None
    channels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class TurnInput:
    """What is said where a notice is called off, postponed, ended early or withdrawn; `channels` as in `PublishInput`.

    The window is that of a postponed maintenance.
    """

    wording: Wording
    notify: bool
    window_start: datetime | None = None
    window_end: datetime | None = None
    channels: tuple[str, ...] | None = None


def wording(title_ja: str, body_ja: str, title_en: str, body_en: str) -> Wording | tuple[Refusal, ...]:
    """The texts, normalised; or every refusal.

    English is optional as a whole: a title without a body, or the other way round, would show half of a language.
    """
    checked = (
        title(title_ja, "title_ja"),
        prose.body(body_ja, "body_ja"),
        title(title_en, "title_en", required=False),
        prose.body(body_en, "body_en", required=False),
    )
    refusals = [part for part in checked if isinstance(part, Refusal)]
    texts = [part for part in checked if isinstance(part, str)]
    if not refusals and bool(texts[2]) != bool(texts[3]):
        empty = "body_en" if texts[2] else "title_en"
        refusals.append(Refusal("half_english", _("英語は件名と本文の両方をご入力ください。"), empty))
    return tuple(refusals) or Wording(*texts)


def title(text: str, field: str, *, required: bool = True) -> str | Refusal:
    """A title of one line, normalised; a Refusal where it is empty or too long."""
    line = single_line(text, field, LONGEST_TITLE)
    if required and line == "":
        return Refusal(f"{field}_missing", _("件名をご入力ください。"), field)
    return line


def moment(text: str, field: str, zone: ZoneInfo) -> datetime | Refusal | None:
    """A date and time as browsers send it (2026-04-10T22:00), on the clocks of `zone`; None where it is empty.

    Aware, in UTC. Where clocks are put back, the earlier of two moments is meant.
    """
    readable = normalise(text[:100])
    if not readable:
        return None
    try:
        local = datetime.strptime(readable.replace(" ", "T")[:16], "%Y-%m-%dT%H:%M")
    except ValueError:
        local = None
    if local is None or local.year not in _YEARS or len(readable) > _LONGEST_MOMENT:
        return Refusal(f"{field}_invalid", _("日時の形式が正しくありません（例：2026-04-10T22:00）。"), field)
    return local.replace(tzinfo=zone).astimezone(UTC)


def channels(chosen: Mapping[str, str], titles: Mapping[str, Text | str]) -> frozenset[str] | tuple[Refusal, ...]:
    """The channels that announce a revision, of those with `titles`: for each of them `chosen` says "yes" or "no".

    There is no default, so that nobody mails everybody by accident; a channel without an answer is a Refusal each.
    """
    missing = [
        Refusal("notify_missing", _("%(channel)sで通知するかどうかをお選びください。", channel=title), f"notify_{name}")
        for name, title in titles.items()
        if chosen.get(name) not in ("yes", "no")
    ]
    return tuple(missing) or frozenset(name for name in titles if chosen[name] == "yes")


def kind(text: str) -> str | Refusal:
    """A kind of notice; a Refusal for any other text."""
    if text not in KINDS:
        return Refusal("kind_missing", _("お知らせの種類をお選びください。"), "kind")
    return text

"""Plain text as a mail program shows it: how wide it is in a font of one width, facts under each other, and what in it
would become a link."""

from __future__ import annotations

import re
import unicodedata

_FACT = re.compile("(?P<label>[^：]*?)(?P<colon>：|: +)(?P<value>.*)", re.DOTALL)
_WIDE = "　"  # a full-width blank

# Ends of host names that mail programs know: those of countries (two letters), the old ones, and those that are used
# most, among them what is abused most. A name such as taro.yamada or Dr.Suzuki has none of them.
_ENDS = (
    "aero|agency|app|asia|auto|beauty|biz|blog|bond|buzz|cam|cat|center|cfd|chat|click|cloud|club|co|codes|com|company"
    "|coop|cyou|dev|digital|earth|edu|email|fit|fun|fyi|global|gov|group|help|homes|host|icu|inc|info|int|jobs"
    "|life|link|live|llc|lol|ltd|mil|mobi|moe|monster|mov|museum|nagoya|name|net|network|news|ninja|okinawa|one|online"
    "|org|osaka|page|party|pics|plus|pro|quest|rest|rocks|run|sbs|services|shop|show|site|skin|social|solutions|space"
    "|store|stream|support|systems|team|tech|tel|tips|today|tokyo|tools|top|travel|uno|vip|web|website|wiki|win|work"
    "|works|world|wtf|xin|xxx|xyz|yokohama|zip|zone"
)
_LINK = re.compile(
    rf"""(?xi)
    [a-z][a-z0-9+.-]*:// | \b(?:https?|ftp|mailto|tel|sms|javascript|data): | \bwww\d?\.\w
    | \w[\w.+-]*@[\w-]+\.\w                                  # an address
    | \b\d{{1,3}}(?:\.\d{{1,3}}){{3}}\b                       # that of a machine
    | [\w-]+(?:\.[\w-]+)+(?:/|:\d)                           # a host with a path or a port
    | [\w-]{{2,}}\.(?:[a-z]{{2}}|xn--[\w-]+|{_ENDS})(?![\w-]|\.\w)   # or by itself
    """
)
_SIGNS = ".:/@"
_OF_LINKS = str.maketrans(_SIGNS, "．：／＠")


def width(text: str) -> int:
    """The columns that a text takes in a Japanese font of one width: two for each full-width letter."""
    return sum(_columns(letter) for letter in text)


def aligned(text: str) -> str:
    """Lines `ラベル：値` or `Label: value` with their values under each other. The filter `aligned` of mail templates.

    Before a full-width colon a label is filled up with full-width blanks, and a half-width one where its width is odd;
    behind a plain colon there are plain blanks. A line without either stays as it is.
    """
    facts = [_FACT.fullmatch(line) for line in text.splitlines(keepends=True)]
    widest = max((width(fact["label"]) for fact in facts if fact), default=0)
    lines = text.splitlines(keepends=True)
    return "".join(_filled(fact, widest) if fact else line for fact, line in zip(facts, lines, strict=True))


def has_link(text: str) -> bool:
    """Whether a mail program would make a link of a part of `text`: an address of a page, a host, or a mail address."""
    return _LINK.search(unicodedata.normalize("NFKC", text)) is not None


def unlinked(text: str) -> str:
    """`text` so that no mail program makes a link of it: where something would become one, its signs are full-width.
    The filter `unlinked` of mail templates, for what a stranger may have typed. Idempotent."""
    for sign in _SIGNS:  # most names have none, and nothing is a link without one
        if sign in text:
            return text.translate(_OF_LINKS) if _LINK.search(text) is not None else text
    return text


def _filled(fact: re.Match[str], widest: int) -> str:
    lacking = widest - width(fact["label"])
    if fact["colon"] == "：":
        return f"{fact['label']}{_WIDE * (lacking // 2)}{' ' * (lacking % 2)}：{fact['value']}"
    return f"{fact['label']}: {' ' * lacking}{fact['value']}"


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WFA" else 1

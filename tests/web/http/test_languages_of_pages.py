"""Every page that there is, in each language, says nothing of its own in the other one.

What is data stays as it was typed: names, addresses, what notices and banks are called. So all that stands in the
database, in the configuration or in an element that names its own language is left out before a page is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from bs4 import BeautifulSoup, Tag

from engine.operations.bulk_acts import bulk_acts
from release.source import ROOT
from tests.kit.dumps import dump
from tests.kit.world import DETAILS, World, visitors
from web.http import cookies
from web.http.guard import STATIC
from web.http.who_may import ANYONE, STAFF, access_of

JAPANESE = re.compile("[ぁ-んァ-ヶー一-龠々、。「」（）：]+")
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
WORD = re.compile(r"(?<![\w@.:/&;-])[A-Za-z][a-z]{2,}(?![\w@.:/])")
SHOWN = ("alt", "aria-label", "placeholder", "title")  # attributes that are read to somebody
MAILS = ("mailbox.show", "mailbox.read", "mailbox.read_html")  # of the demo: each in its reader's language
FEEDS = ("notices.feed", "notices.maintenance")
PAGES = ("text/html", "application/atom+xml", "text/calendar")

# What an English page says in Japanese, because that is what it is called: the mail of G12, and forms of names that
# only exist in Japanese (a 記号 of ゆうちょ銀行, 通帳 spelling). The switch says 日本語.
NAMES = (
    "【重要】desknet‘s クラウド開通のご案内",
    "〇〇〇",
    "日本語",
    "カ）ミホンシヨウジ",
    "みずほ銀行, 横浜信用金庫, JA横浜 or 0001",
    "丸之内支店, 本店営業部 or 005",
    "(記号)",
    "(番号)",
)
# Words that Japanese pages have in Latin letters: formats, the workflow `notice`, and an operator by their own name.
LATIN = frozenset({"Atom", "Cookie", "English", "Mermaid", "iCalendar", "root"}) | {
    *("mail", "notice", "payment", "schedule"),  # an effect and procedures, by the names that definitions give them
}


@dataclass(frozen=True)
class Page:
    """One answer in one language."""

    who: str
    path: str
    kind: str
    body: str

    def says(self) -> Iterator[str]:
        """The texts that somebody reads or is read, each by itself, without those that name another language."""
        if self.kind == "text/calendar":
            yield re.sub(r"(?m)^[A-Z-]+[;:]", "", self.body)
            return
        if self.kind == "application/atom+xml":
            feed = ET.fromstring(self.body)
            yield from _of_feed(feed, feed.get(XML_LANG, ""))
            return
        soup = BeautifulSoup(self.body, "html.parser")
        html = soup.find("html")
        own = str(html["lang"]) if isinstance(html, Tag) else ""
        for tag in soup.find_all(["script", "style", "code", "pre", "kbd", "textarea", "iframe", "svg"]):
            tag.decompose()
        for tag in soup.find_all(lang=True):
            if not tag.decomposed and tag["lang"] != own:
                tag.decompose()
        yield from (" ".join(str(text).split()) for text in soup.strings)
        for tag in soup.find_all(True):
            yield from (str(tag[name]) for name in SHOWN if name in tag.attrs)


def _of_feed(element: ET.Element, own: str) -> Iterator[str]:
    if element.get(XML_LANG, own) != own:
        return
    yield element.text or ""
    for child in element:
        yield from _of_feed(child, own)
        yield child.tail or ""


def pages(world: World, language: str) -> Iterator[Page]:
    """Every page in `language`: what everybody may see as a stranger, the others as who sees most."""
    readers = {who.name: who for who in visitors(world)}
    for who in readers.values():
        who.client.set_cookie(cookies.LANGUAGE.name(secure=False), language)
    for rule in sorted(world.app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if rule.endpoint in (*STATIC, *MAILS) or "GET" not in (rule.methods or ()):
            continue
        access = access_of(world.app, rule.endpoint)
        who = readers[{ANYONE: "stranger", STAFF: "staff"}.get(access, "admin")]
        for path in world.paths(rule):
            if rule.endpoint in FEEDS:  # the same for all, in the language that their address names
                path += f"?language={language}"
            answer = who.client.get(path)
            if answer.status_code == 200 and answer.mimetype in PAGES:
                yield Page(who.name, path, answer.mimetype, answer.get_data(as_text=True))


def data_of(world: World) -> list[str]:
    """What people typed, the longest first."""
    texts = {part for rows in dump(world.site.db).values() for row in rows for part in _texts(row)}
    texts |= set(DETAILS.values()) | set(NAMES)
    return sorted((text for text in texts if len(text) > 1), key=len, reverse=True)


def words_of(world: World) -> set[str]:
    """The words in what people typed and the company configured. What the engine keeps has none: its names of events,
    effects and states are no words for people."""
    engine = {
        table
        for migration in (ROOT / "engine" / "migrations").glob("*.py")
        for table in re.findall(r"CREATE TABLE (\w+)", migration.read_text(encoding="utf-8"))
    }
    texts = [product.title for product in world.site.catalogue.products.values()]
    texts += [part for table, rows in dump(world.site.db).items() if table not in engine for part in _of(rows)]
    texts += [reason for act in bulk_acts(world.site.engine) for reason in (act.reason, act.changed_reason)]
    return {word for text in texts for word in WORD.findall(text)}


def _of(rows: list[tuple[Any, ...]]) -> Iterator[str]:
    for row in rows:
        yield from _texts(row)


def _texts(row: tuple[Any, ...]) -> Iterator[str]:
    for value in row:
        if isinstance(value, str):
            yield from (line.strip() for line in value.splitlines())
            yield from re.findall(r'"([^"]+)"', value)


def without(text: str, data: list[str]) -> str:
    for one in data:
        if one in text:
            text = text.replace(one, " ")
    return text


def test_english_pages_have_japanese_in_names_alone(world: World) -> None:
    data = [one for one in data_of(world) if JAPANESE.search(one)]
    read = list(pages(world, "en"))
    found = {
        (found[0], page.who, page.path)
        for page in read
        for text in page.says()
        if (found := JAPANESE.search(without(text, data)))
    }
    assert len(read) > 100
    assert found == set()


def test_japanese_pages_have_english_in_names_alone(world: World) -> None:
    known = words_of(world) | LATIN
    found: dict[str, set[str]] = {}
    for page in pages(world, "ja"):
        for text in page.says():
            for word in set(WORD.findall(text)) - known:
                found.setdefault(word, set()).add(f"{page.who} {page.path} {text[:80]}")
    assert found == {}

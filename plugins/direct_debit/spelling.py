"""Names of banks and branches as people write them, taken apart: what is named, and what kind of place it says it is.

The data of the banks' association have each name once and short (`横浜信金`, `ヨコハマシンキン`). Bank books, seals and
people have it in other forms: `横浜信用金庫`, `JA横浜`, `（株）みずほ銀行`, full-width or half-width. Two names are
the same where stem and kind are the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import jaconv

from workflows.business.folding import fold
from workflows.business.typed import normalise

LONGEST = 200  # characters of what is typed that are looked at
_SMALL = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
_DASHES = re.compile("[-‐‑‒–—―−ー]")  # whatever a keyboard types for ー
_NOTHING = re.compile(r"[\s・.,、。'’`\"「」『』]+")  # what parts words in a name, and what some leave out
_CAPTIONS = re.compile(r"^((金融機関|銀行|支店|店舗)?コ-ド|(支店|店)番号?|NO)[:=]?(?=[0-9])")
_COMPANY = re.compile(
    r"^(株式会社|\(株\)|カブシキガイシヤ|カブシキカイシヤ)|(株式会社|\(株\)|カブシキガイシヤ|カブシキカイシヤ)$"
)
_RUNS = re.compile("[ァ-ヶ-]+|[^ァ-ヶ-]+")
_NO_KANA = re.compile("[^ァ-ヶ-]+")
_BETWEEN_KANJI = r"(?<=[一-鿿々]){}(?=[一-鿿々])"
_OF = re.compile(_BETWEEN_KANJI.format("[ノ之乃]"))
_KE = re.compile(_BETWEEN_KANJI.format("[ケガカ]"))


def comparable(text: str) -> str:
    """A name in one spelling: NFKC, katakana, no small letters, one dash, no blanks and dots, capitals."""
    text = jaconv.hira2kata(normalise(text[:LONGEST])).translate(_SMALL).upper()
    return _NOTHING.sub("", _DASHES.sub("-", text))


def without_captions(text: str) -> str:
    """A comparable text without what says that a number follows: 店番018 is 018."""
    return _CAPTIONS.sub("", text)


def name_and_code(text: str, digits: int) -> tuple[str, str] | None:
    """Name and code of a comparable text that has both, in either order: みずほ銀行（0001）, 0001:みずほ銀行."""
    code = f"[0-9]{{{digits}}}"
    match = re.fullmatch(rf"(.+?)[(\[:]?({code})[)\]]?", text) or re.fullmatch(rf"[(\[]?({code})[)\]]?[:-]?(.+)", text)
    if match is None:
        return None
    first, second = match.groups()
    return (second, first) if first.isdecimal() and len(first) == digits else (first, second)


def loose(text: str) -> str:
    """A comparable name in one of the spellings that it has: 北國 and 北国, 霞ヶ関 and 霞が関, 丸之内 and 丸の内.

    Kana stay: ナカノ and ナガノ, which `fold` has for one, are two places.
    """
    return _NO_KANA.sub(lambda run: fold(run[0]), _KE.sub("ケ", _OF.sub("ノ", text)))


def half_read(text: str, written: str, reading: str) -> bool:
    """Whether a stem is partly what is written and partly how that is read: フジ伊豆 for 富士伊豆, read フジイズ."""
    runs = _RUNS.findall(text)
    return len(runs) > 1 and all(run in written or run in reading for run in runs)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of institution: how its official name ends, and the endings and beginnings that stand for that.

    Endings and beginnings are comparable texts.
    """

    official: str
    endings: tuple[str, ...]
    beginnings: tuple[str, ...] = ()


BANK = Kind("銀行", ("銀行", "ギンコウ", "バンク", "BANK"))
SHINKIN = Kind("信用金庫", ("信用金庫", "信金", "シンヨウキンコ", "シンキン"))
SHINKUMI = Kind(
    "信用組合",
    ("信用組合", "信用協同組合", "信組", "シンヨウクミアイ", "シンヨウキヨウドウクミアイ", "シンクミ"),
)
ROKIN = Kind("労働金庫", ("労働金庫", "労金", "ロウドウキンコ", "ロウキン"))
JA = Kind(
    "農業協同組合",
    ("農業協同組合", "農業協同", "農協", "ノウギヨウキヨウドウクミアイ", "ノウキヨウ"),
    ("JAバンク", "JA", "農業協同組合", "ジエイエ-バンク", "ジエイエ-", "ジエイエイ"),
)
JF = Kind(
    "漁業協同組合",
    ("漁業協同組合", "漁業協同", "漁協", "ギヨギヨウキヨウドウクミアイ", "ギヨキヨウ"),
    ("JFマリンバンク", "JF", "漁業協同組合JF", "漁業協同組合", "ジエイエフ"),
)
SHINREN = Kind(
    "信用農業協同組合連合会",
    (
        "信用農業協同組合連合会",
        "信用農協連合会",
        "信用農協連",
        "信農連",
        "農信連",
        "信連",
        "シンヨウノウギヨウキヨウドウクミアイレンゴウカイ",
        "シンノウレン",
        "シンレン",
    ),
)
SHINGYOREN = Kind(
    "信用漁業協同組合連合会",
    (
        "信用漁業協同組合連合会",
        "信用漁協連合会",
        "信用漁協連",
        "信漁連",
        "シンヨウギヨギヨウキヨウドウクミアイレンゴウカイ",
        "シンギヨレン",
    ),
)
KINDS = (BANK, SHINKIN, SHINKUMI, ROKIN, JA, JF, SHINREN, SHINGYOREN)

_ENDINGS = sorted(((ending, kind) for kind in KINDS for ending in kind.endings), key=lambda one: -len(one[0]))
_BEGINNINGS = sorted(((text, kind) for kind in KINDS for text in kind.beginnings), key=lambda one: -len(one[0]))


@dataclass(frozen=True, slots=True)
class Name:
    """A name, taken apart. `kind` is None where it says none, as in みずほ."""

    stem: str
    kind: Kind | None = None

    def loosely(self) -> Name:
        """The same with a loose stem."""
        return Name(loose(self.stem), self.kind)


def name(text: str) -> Name:
    """What a text names: 株式会社みずほ銀行 is (ミズホ, 銀行), JA横浜 is (横浜, 農業協同組合).

    A text that is an ending and nothing else, as in 銀行, names something with an empty stem: nothing.
    """
    rest = _COMPANY.sub("", comparable(text))
    if alone := next((its for beginning, its in _BEGINNINGS if rest == beginning), None):
        return Name("", alone)  # JAバンク is no bank of the name JA
    kind: Kind | None = None
    written = next(((ending, its) for ending, its in _ENDINGS if rest.endswith(ending)), None)
    if written is not None:
        ending, kind = written
        rest = rest.removesuffix(ending)
        while kind is BANK and (again := next((one for one in BANK.endings if rest.endswith(one)), "")):
            rest = rest.removesuffix(again)  # ソニーバンク銀行
    if kind is None or kind in (JA, JF, SHINREN, SHINGYOREN):
        for beginning, its in _BEGINNINGS:
            after = rest.removeprefix(beginning)
            if after != rest and not (beginning.isascii() and after[:1].isascii() and after[:1].isalpha()):
                rest, kind = after, kind or its
                break
    return Name(_COMPANY.sub("", rest), kind)

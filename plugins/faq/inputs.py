"""What staff type about a question, once it is canonical."""

from __future__ import annotations

from dataclasses import dataclass

from engine.definition import Refusal
from engine.text import _
from workflows.business import prose
from workflows.business.typed import single_line

LONGEST_QUESTION = 200  # as FaqEntry.question_ja
LONGEST_CATEGORY = 50  # as FaqEntry.category
_POSITIONS = range(1, 10_000)


@dataclass(frozen=True, slots=True)
class FaqInput:
    """A question with its answer. `entry` is its id; `product` is "" for all; English may be ""."""

    entry: str
    category: str
    product: str
    position: int
    question_ja: str
    answer_ja: str
    question_en: str = ""
    answer_en: str = ""
    category_en: str = ""


def entry(
    number: str,
    *,
    category: str,
    product: str,
    position: str,
    question_ja: str,
    answer_ja: str,
    question_en: str,
    answer_en: str,
    category_en: str = "",
) -> FaqInput | tuple[Refusal, ...]:
    """The entry in its canonical form, or everything that is wrong with it."""
    texts: dict[str, str | Refusal] = {
        "category": _line(category, "category", LONGEST_CATEGORY),
        "question_ja": _line(question_ja, "question_ja", LONGEST_QUESTION),
        "answer_ja": prose.body(answer_ja, "answer_ja"),
        "question_en": single_line(question_en, "question_en", LONGEST_QUESTION),
        "answer_en": prose.body(answer_en, "answer_en", required=False),
        "category_en": single_line(category_en, "category_en", LONGEST_CATEGORY),
    }
    refusals = [text for text in texts.values() if isinstance(text, Refusal)]
    values = {name: text for name, text in texts.items() if isinstance(text, str)}
    place = _number(position)
    if isinstance(place, Refusal):
        refusals.append(place)
    if not refusals and bool(values["question_en"]) != bool(values["answer_en"]):
        empty = "answer_en" if values["question_en"] else "question_en"
        refusals.append(Refusal("half_english", _("英語は質問と回答の両方をご入力ください。"), empty))
    if refusals or isinstance(place, Refusal):
        return tuple(refusals)
    return FaqInput(number, product=product, position=place, **values)


def _line(text: str, field: str, most: int) -> str | Refusal:
    line = single_line(text, field, most)
    return Refusal(f"{field}_missing", _("ご入力ください。"), field) if line == "" else line


def _number(text: str) -> int | Refusal:
    digits = text.strip()
    if digits.isdecimal() and len(digits) <= 5 and int(digits) in _POSITIONS:  # of any script: full-width too
        return int(digits)
    return Refusal("position", _("表示順は1から9999までの整数をご入力ください。"), "position")

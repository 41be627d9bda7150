"""FAQ (よくあるご質問): the staff write questions and answers, customers search them."""

from pathlib import Path

from engine.text import catalogue
from plugins.faq.plugin import Faq

__all__ = ["Faq"]

catalogue.add(Path(__file__).parent / "locale")

"""FAQ (G7): staff write questions and answers, customers search them."""

from workflows.faq.workflow import FAQ_ENTRY

__all__ = ["FAQ_ENTRY"]

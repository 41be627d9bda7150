"""What a browser calls itself, in two words that its owner recognises in a list: `Firefox / Windows`."""

from __future__ import annotations

# By the first that is found: browsers name those whose pages they want to be sent, too (RFC 9110 §10.1.5).
_FAMILIES = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("YaBrowser/", "Yandex"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)


def browser_of(user_agent: str) -> str:
    """The browser and its system, as the header User-Agent says; what is not known is left out."""
    found = (next((name for sign, name in known if sign in user_agent), "") for known in (_FAMILIES, _SYSTEMS))
    return " / ".join(name for name in found if name)

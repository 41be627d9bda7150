"""What every plugin may know about the site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What every plugin may know about the site.

    `var` is the folder for files that the site writes; `base_url` is the beginning of mailed links; `mail_from` is the
    sender of the site's mails; `demo` is true where nothing may reach real people; `timezone` is an IANA name.
    `products` are the names of the products for sale, each with the names of its options; empty where that is not
    known.
    """

    var: Path
    base_url: str
    mail_from: str
    demo: bool
    timezone: str
    products: Mapping[str, frozenset[str]] = field(default_factory=dict)

"""The floor of `web_pages`: a bare Flask app that renders one template, behind the server of the site.

Its template is the page that the site answered, with its text handed in by pieces, so that as much is escaped and
joined as there is to read; `POST /` checks a password as the site does and hashes it, and does nothing else. It has no
session, no database and no form.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from flask import Flask, render_template, request
from jinja2 import DictLoader

from web.assembly.settings import Settings
from web.assembly.stopping import heeded
from web.serving.server import Server
from workflows.business.access import passwords
from workflows.business.access.passwords import Hasher

_TEXT = re.compile(r"(?<=>)[^<>{}]*\w[^<>{}]*(?=<)")  # what stands between two tags

_HOLDER: Any = {
    "customer_number": "A01234567",
    "subdomains": ("mihon",),
    "company": "株式会社みほん商事",
    "email": "hanako@customer.example",
}


def template_of(page: str) -> tuple[str, list[str]]:
    """A template as long as `page`, and the texts to fill it with."""
    texts: list[str] = []

    def place(found: re.Match[str]) -> str:
        texts.append(found[0])
        return f"{{{{ texts[{len(texts) - 1}] }}}}"

    return _TEXT.sub(place, page.replace("{", "(").replace("}", ")")), texts


def bare(pages: Path) -> Flask:
    """An app that answers `/<name>` with the page in the file of that name, and `POST /` with a hash."""
    app = Flask("bare")
    made = {path.name: template_of(path.read_text(encoding="utf-8")) for path in pages.iterdir()}
    app.jinja_loader = DictLoader({f"{name}.html": template for name, (template, _) in made.items()})
    hasher = Hasher(*Settings(b"").password_cost)

    def show(name: str) -> str:
        return render_template(f"{name}.html", texts=made[name][1])

    def keep() -> tuple[str, int]:
        password = request.form["password"]
        if passwords.refusal(password, password, **_HOLDER) is not None:
            return "", 422
        return hasher.hash(password), 303

    app.add_url_rule("/<name>", "show", show)
    app.add_url_rule("/", "keep", keep, methods=["POST"])
    return app


def main(pages: Path, port: int) -> None:
    """Serve them as the site is served, until a signal says stop."""
    with heeded() as stop:
        server = Server(bare(pages), "127.0.0.1", port, threads=Settings(b"").threads)
        server.start()
        stop.wait()
        server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""Forms in, pages out. No rule lives here: views parse, call the engine or a query, and show.

`assembly.site` assembles the site, `app.create_app` puts pages in front of it. The same parts serve the command line.
"""

from pathlib import Path

from engine.text import catalogue

catalogue.add(Path(__file__).parent / "locale")

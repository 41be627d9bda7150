"""The frames of mails: what stands around the text of each, for procedures of plugins.

A template beside a definition extends `site/frame.<language>.html`, and fills its block `main`; as plain text it ends
with `{% include "site/signature.<language>.txt" %}`.
"""

from __future__ import annotations

from pathlib import Path

FRAMES = Path(__file__).parent / "mail"

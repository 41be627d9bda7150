"""Canonical JSON: equal values have one text, so that a digest or a seal of the text is one of the value.

Keys are sorted, and there is no blank between tokens, as in RFC 8785. Letters beyond ASCII stand for themselves. Unlike
RFC 8785, keys are sorted by code points, and numbers are written as Python writes them.
"""

import json

canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode

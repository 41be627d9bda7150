"""What a seal covers (I8)."""

from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st

from engine import chain
from engine.definition import Instance

TEXTS = st.text(max_size=12) | st.sampled_from(['"', "\\", "\n", "\u2028", "日本", "\x00", "a\x7f", "😀"])


@given(
    number=st.integers(1, 2**62),
    texts=st.lists(TEXTS, min_size=8, max_size=8),
    seq=st.integers(1, 10**6),
    due=st.none() | TEXTS,
    before=st.binary(max_size=32),
    key=st.binary(min_size=1, max_size=80),
)
def test_a_seal_is_the_hmac_of_the_canonical_json_of_all_fields(
    number: int, texts: list[str], seq: int, due: str | None, before: bytes, key: bytes
) -> None:
    workflow, subject, event, source, target, actor, at, data = texts
    instance = Instance(number, workflow, 3, subject, "", 0, 0, b"")
    fields = [number, workflow, 3, subject, seq, event, source, target, actor, at, due, data, before.hex()]
    expected = hmac.digest(key, chain.canonical(fields).encode(), "sha256")
    assert chain.seal(key, instance, seq, event, source, target, actor, at, due, data, before) == expected

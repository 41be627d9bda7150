"""Request keys as the table holds them (I10): every process of every release must find those of another one."""

from __future__ import annotations

from hashlib import sha256

from tests.reviews import AUTHOR, Office


def test_a_key_stands_in_the_table_as_it_is_unless_it_is_too_long_or_unprintable(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit()
    keys = ["a" * 128, "b" * 129, "c\nd", "日本"]
    for key in keys:
        office.engine.fire(number, "resend", AUTHOR, key=key)
        assert office.engine.fire(number, "resend", AUTHOR, key=key).seq == office.engine.look(number).instance.seq
    stored = [row[0] for row in office.sql("SELECT key FROM request ORDER BY seq")]
    assert stored == [keys[0], *(sha256(key.encode()).hexdigest() for key in keys[1:3]), keys[3]]

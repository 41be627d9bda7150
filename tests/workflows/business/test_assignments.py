"""Who looks after a procedure and what is noted about it, on each kind of database."""

from __future__ import annotations

from datetime import timedelta

from tests.kit.browser import add_customer
from tests.kit.contract_scenes import staff
from web.assembly.site import Site
from workflows.business.assignments import assign, assigned, members, note, notes
from workflows.business.records import Customer, InternalNote


def test_a_procedure_has_one_member_or_none_and_nobody_is_overruled_unseen(any_site: Site) -> None:
    now = any_site.clock()
    one, two, left = (int(staff(name, active).id) for name, active in (("一郎", 1), ("二郎", 1), ("三郎", 0)))
    assert [member.id for member in members()] == [one, two]
    assert assign(7, one, two, now, seen=None) is None
    assert assign(7, one, one, now, seen=None) is None  # as it is already
    refused = assign(7, two, two, now, seen=None)
    assert refused is not None
    assert refused.code == "assigned_meanwhile"
    assert assign(7, two, two, now, seen=one) is None
    refused = assign(7, left, two, now, seen=two)
    assert refused is not None
    assert refused.code == "no_member"
    assert {number: member.id for number, member in assigned([7, 8]).items()} == {7: two}
    assert assign(7, None, one, now, seen=two) is None
    assert assigned([7]) == assigned([]) == {}


def test_notes_are_in_order_and_go_with_their_customer(any_site: Site) -> None:
    now, by = any_site.clock(), int(staff().id)
    customer = add_customer()
    assert note(7, customer.id, " 一\r\n二\0 ", by, now, key="a") is None
    assert note(7, customer.id, "twice", by, now, key="a") is None
    assert note(7, None, "\ud800", by, now + timedelta(hours=1), key="b") is None
    assert note(8, None, "another", by, now, key="c") is None
    assert [(one.text, one.noted_at, one.member_id) for one in notes(7)] == [
        ("一\n二", now, by),
        ("?", now + timedelta(hours=1), by),
    ]
    for text, code in ((" \n\0", "note_missing"), ("あ" * 2001, "note_long")):
        refused = note(7, None, text, by, now, key="d")
        assert refused is not None
        assert refused.code == code
    Customer.delete().where(Customer.id == customer.id).execute()
    assert [one.key for one in InternalNote.select().order_by(InternalNote.id)] == ["b", "c"]

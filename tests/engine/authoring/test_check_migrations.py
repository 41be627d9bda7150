"""What is wrong with the ways that a definition carries is found before anything moves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.authoring.check import check_all
from engine.definition import Workflow
from engine.migration import Cancel, Migration
from tests.kit.parcels import MAPPING, PARCEL, PARCEL_2


def found(*mappings: Migration, others: tuple[Workflow, ...] = (PARCEL,)) -> list[str]:
    """What is said of a second version that carries these, at the lines where they were written."""
    carrying = replace(PARCEL_2, migrates=mappings)
    problems = check_all((*others, carrying), kinds={"printer", "letter"})
    lines = {mapping.where for mapping in mappings}
    return [f"{one.code} {one.message}" for one in problems if one.code.startswith("MIGRATION") and one.where in lines]


def test_a_sound_way_is_none_of_the_problems() -> None:
    assert found(MAPPING) == []


def test_each_misspelt_name_of_a_way_is_one_problem() -> None:
    wrong = replace(
        MAPPING, states={**MAPPING.states, "packed": "boxd"}, effects={**MAPPING.effects, "hello": Cancel("")}
    )
    assert [line.split(": ")[1] for line in found(wrong)] == [
        "state 'packed' → 'boxd'",
        "effect 'hello'",
    ]
    assert all(line.startswith("MIGRATION_UNFIT the mapping parcel 1 → 2: ") for line in found(wrong))


def test_a_way_from_a_version_that_is_not_there_is_compared_with_what_is() -> None:
    assert found(MAPPING, others=()) == []
    assert len(found(replace(MAPPING, states={"packed": "boxd"}), others=())) == 1


@pytest.mark.parametrize(
    ("mappings", "said"),
    [
        ((replace(MAPPING, to_version=3),), "MIGRATION_ELSEWHERE the mapping leads to 'parcel' version 3"),
        ((replace(MAPPING, workflow="letter"),), "MIGRATION_ELSEWHERE the mapping leads to 'letter' version 2"),
        ((MAPPING, replace(MAPPING, otherwise=MAPPING.otherwise)), "MIGRATION_TWICE two mappings lead from version 1"),
        ((Migration("parcel", (2,), 2),), "MIGRATION_UNFIT the mapping parcel 2 → 2 leads from a version to itself"),
    ],
)
def test_a_way_leads_from_another_version_to_its_own_definition_and_once(
    mappings: tuple[Migration, ...], said: str
) -> None:
    (problem,) = found(*mappings)
    assert problem.startswith(said)


def test_a_forgotten_comma_is_one_problem() -> None:
    carrying = replace(PARCEL_2, migrates=(MAPPING))  # type: ignore[arg-type]  # the fault that is tried
    problems = check_all((PARCEL, carrying), kinds={"printer", "letter"})
    assert [one.code for one in problems if "migrates" in one.message] == ["NOT_A_TUPLE"]

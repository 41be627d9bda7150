"""What a hook that registers by name takes, and what is said of anything else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import hookspecs
from engine.hookspecs import PROJECT, Shape, takes
from engine.plugins.loaded import fault_of

DAY = timedelta(days=1)


def shape_of(hook: str) -> Shape:
    marked: Any = getattr(hookspecs, hook)
    shape: Shape = marked.takes
    return shape


class Sender:
    """A mailer that says how long one call can take, where it is given."""

    def __init__(self, **said: Any) -> None:
        self.__dict__.update(said)

    def send(self, message: Any, key: str) -> None: ...

    deliver = send


def test_each_hook_of_the_engine_says_what_it_takes() -> None:
    shapes = {name: shape_of(name) for name in vars(hookspecs) if name.startswith("register_")}
    assert {name: (shape.methods, shape.reserved) for name, shape in shapes.items()} == {
        "register_listeners": (("hear",), ()),
        "register_mailers": (("send",), ()),
        "register_effect_handlers": (("deliver",), ("mail",)),
        "register_migrations": (("is_dir",), ()),
    }
    assert PROJECT == "tetsuzuki"


def test_a_hook_takes_whatever_has_its_methods_where_it_says_no_more() -> None:
    @takes("fly", "land", reserved=("owl",))
    def register_birds() -> None: ...

    marked: Any = register_birds
    assert (marked.takes.methods, marked.takes.reserved) == (("fly", "land"), ("owl",))
    assert marked.takes.wrong("pigeon", object()) == ""
    assert Shape(("fly",)).reserved == ()
    assert fault_of(marked.takes, "pigeon", Sender(fly=len, land=len)) == ""
    assert fault_of(marked.takes, "pigeon", Sender(fly=len, land=5)) == (
        "returned Sender for 'pigeon'; it takes an object with fly() and land()"
    )
    assert fault_of(marked.takes, "owl", Sender(fly=len, land=len)) == "claims 'owl', which is reserved"
    for name in ("", 5, None):
        said = f"returned the name {name!r}; a name is a text that is not empty"
        assert fault_of(marked.takes, name, Sender(fly=len, land=len)) == said


def test_a_class_is_no_object_that_does_the_work() -> None:
    assert fault_of(shape_of("register_mailers"), "post", Sender) == (
        "returned the class Sender for 'post'; it takes an object with send()"
    )


@pytest.mark.parametrize("longest", [timedelta(0), DAY])
def test_a_mailer_may_take_up_to_a_day(longest: timedelta) -> None:
    assert fault_of(shape_of("register_mailers"), "post", Sender(longest=longest)) == ""
    assert fault_of(shape_of("register_mailers"), "post", Sender()) == ""


@pytest.mark.parametrize("longest", [timedelta(microseconds=-1), DAY + timedelta(microseconds=1), 5, None])
def test_how_long_a_mailer_takes_is_a_time_of_at_most_a_day(longest: object) -> None:
    assert fault_of(shape_of("register_mailers"), "post", Sender(longest=longest)) == (
        f"returned something wrong for 'post': longest must be a timedelta of at most a day, not {longest!r}"
    )


def test_steps_of_a_database_are_in_a_folder_called_migrations(tmp_path: Path) -> None:
    shape, folder, file = shape_of("register_migrations"), tmp_path / "migrations", tmp_path / "file"
    folder.mkdir()
    file.touch()
    assert shape.wrong("own", folder) == ""
    assert shape.wrong("own", tmp_path) == f"{tmp_path} is not called migrations"
    assert shape.wrong("own", file) == f"{file} is no folder"
    assert shape.wrong("own", str(folder)) == f"{folder} is no folder"

"""The refusal with a reason that docs/plugins/how-to-procedures.md adds to the procedure of the page."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from web.cli.skeleton import write_package
from web.testing import PagesContract, WorkflowsContract
from web.testing.forms import forms_in

PAGE = Path(__file__).parents[2] / "docs" / "plugins" / "how-to-procedures.md"
SECTION = PAGE.read_text(encoding="utf-8").split("\n## A refusal with a reason\n", 1)[1].split("\n## ", 1)[0]
ENGLISH = {
    "お断りの理由をお書きください。": "Please write why.",
    "お断りしました。": "The request was declined.",
    "お断りの理由": "Why it is declined",
}
DECLINE = re.compile(r'        Transition\(\n            "decline".*?\n        \),\n', re.DOTALL)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)


def written_with_a_reason(folder: Path) -> None:
    """What `plugins new` writes, changed as the page says."""
    package = folder / "tetsuzuki_device_loan"
    rules, transition, views, tests = blocks("python")
    (text,), (decide,) = blocks("text"), blocks("html")

    def change(file: Path, before: str, after: str) -> None:
        source = file.read_text(encoding="utf-8")
        assert before in source, file
        file.write_text(source.replace(before, after, 1), encoding="utf-8")

    transition = re.sub(r"\A\(\n|^\)\n\Z", "", transition, flags=re.MULTILINE)  # a tuple where the page has it alone
    (was,) = DECLINE.findall((package / "workflow.py").read_text(encoding="utf-8"))
    change(package / "workflow.py", was, transition)
    change(package / "rules.py", "RECIPIENTS = ", f"{rules}\n\nRECIPIENTS = ")
    change(package / "__init__.py", "import LARGEST", "import LARGEST, storable")
    change(package / "__init__.py", '"everybody": STAFF', '"everybody": STAFF, "decide": STAFF, "decline": STAFF')
    change(package / "__init__.py", "customer_panels=", 'handles=("device_loan",), customer_panels=')
    everybody = package / "templates" / "device_loan" / "everybody.html"
    (there,) = re.findall(r"url_for\('\.decide'.*?\)", SECTION.split("```", 1)[0])
    change(everybody, "url_for('staff.request_page', instance_id=loan.instance)", there)
    change(package / "__init__.py", "def _page(", f"{views}\n\ndef _page(")
    (package / "templates" / "device_loan" / "decide.html").write_text(decide, encoding="utf-8")
    for language in ("ja", "en"):
        mail = package / "mail" / f"declined.{language}"
        mail.with_suffix(f".{language}.txt").write_text(text.replace(".ja.", f".{language}."), encoding="utf-8")
        html = f'{{% extends "site/frame.{language}.html" %}}{{% block main %}}{{{{ figures.reason }}}}{{% endblock %}}'
        mail.with_suffix(f".{language}.html").write_text(html, encoding="utf-8")
    with (package / "locale" / "en.po").open("a", encoding="utf-8") as po:
        po.writelines(f'\nmsgid "{said}"\nmsgstr "{english}"\n' for said, english in ENGLISH.items())
    with (folder / "tests" / "test_device_loan.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\nclass TestWithAReason(TestDeviceLoan):\n{indent(dedent(tests), ' ' * 4)}")


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module with the plugin's tests."""
    folder = write_package("device_loan", "workflow", tmp_path)
    written_with_a_reason(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.syspath_prepend(folder / "tests")
    yield importlib.import_module("test_device_loan")
    for name in [name for name in sys.modules if "device_loan" in name]:
        sys.modules.pop(name)


def kit_tests(kit: type[Any]) -> list[str]:
    return [name for name in dir(kit) if name.startswith("test_")]


def test_the_second_example_passes_the_kits_and_its_own_tests(kit: Any) -> None:
    with_a_reason = kit.TestWithAReason
    own = [name for name in vars(with_a_reason) if name.startswith("test_")]
    assert len(own) == 2
    for cls, names in (
        (kit.TestDeviceLoanPages, kit_tests(PagesContract)),
        (with_a_reason, [*kit_tests(WorkflowsContract), *own]),
    ):
        cls.setup_class()
        try:
            for name in names:
                getattr(cls(), name)()
        finally:
            cls.teardown_class()


def test_the_staffs_own_page_leads_to_that_of_the_plugin(kit: Any) -> None:
    cls = kit.TestWithAReason
    cls.setup_class()
    try:
        loan, staff = cls().ask("スキャナ"), cls.trial.staff()
        page = f"/staff/requests/{loan}"
        assert f'href="/x/device_loan/staff/{loan}"' in staff.get("/x/device_loan/staff").text
        assert page not in staff.get("/staff/requests").text
        shown = staff.get(page).text
        assert 'href="/x/device_loan/staff">プラグインの画面を開く' in shown
        assert not any({"event", "reason"} & set(form.names) for form in forms_in(shown))
    finally:
        cls.teardown_class()

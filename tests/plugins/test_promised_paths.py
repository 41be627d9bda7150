"""What docs/hooks.md, README and the plugins of `plugins new` imported at cce82d3 works, and says where it is now.

`cce82d3/` has that page as it stood, and the English of its payment method.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import pytest

from engine.delivery import Accepted, Delivery
from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import PLUGINS
from tests.kit.http_server import provider
from tests.kit.payments import APRIL, account, ask, contract, work
from tests.kit.sites import CHEAP, SECRET, memory_plugin, state
from tests.kit.waiting import PATIENCE
from web.assembly.settings import Settings
from web.assembly.site import build, plugins_of

ROOT = Path(__file__).parents[2]
THEN = Path(__file__).parent / "cce82d3"
PAGE = (THEN / "hooks.md").read_text(encoding="utf-8")
PROMISED = {
    "engine.definition": "Actor Address LINK_HOLDER Mail Recipient Refusal SYSTEM Secret Start State Timer Transition "
                         "Workflow",
    "engine.delivery": "Accepted Deferred Delivery Failed Message Outcome",
    "engine.errors": "ConfigurationError",
    "engine.hookspecs": "hookimpl",
    "engine.migrate": "ENGINE_MIGRATIONS migrate",
    "engine.mime": "compose",
    "engine.plugins": "SiteFacts",
    "engine.runtime": "Engine",
    "engine.store": "open_database",
    "engine.testing": "Clock EffectHandlerContract MailerContract",
    "engine.text": "Text _ catalogue reading_in",
    "workflows.billing": "Amount Applied Booking Change Invoice Line Queued Quote Rejected Tax Unavailable",
    "workflows.notices.channels": "NoticeRecipient ONCE PublishedNotice PublishedRevision",
    "workflows.payments": "Active Begun Details Event Field Form MandateFacts NotAvailable PaymentContext Report",
    "workflows.testing": "BillingBackendContract DiskUsageContract NoticeChannelContract PaymentMethodContract context",
    "workflows.usage": "Environment Usage UsageUnavailable",
}  # fmt: skip
MOVED = {
    "engine.migrate": "engine.migrate is now engine.store.schema",
    "engine.runtime": "engine.runtime.Engine is now engine.runtime.engine.Engine",
    "engine.store": "engine.store.open_database is now engine.store.opening.open_database",
    "workflows.billing": "workflows.billing is now workflows.ports.billing",
    "workflows.notices.channels": "workflows.notices.channels is now workflows.ports.notice_channels",
    "workflows.payments": "workflows.payments is now workflows.ports.payments",
    "workflows.testing": "workflows.testing is now workflows.ports.testing",
    "workflows.usage": "workflows.usage is now workflows.ports.disk_usage",
}
GONE = "; the old name is gone in Tetsuzuki 0.2.0"


def blocks(language: str) -> list[str]:
    """The code of the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def written(folder: Path) -> Path:
    """The page's tutorial as a package: the method, its English, and its tests."""
    _sms, module, tests = blocks("python")
    package = folder / "tetsuzuki_convenience_store"
    (package / "locale").mkdir(parents=True)
    (package / "__init__.py").write_text(module, encoding="utf-8")
    shutil.copy(THEN / "en.po", package / "locale" / "en.po")
    (folder / "test_convenience_store.py").write_text(tests, encoding="utf-8")
    return folder


@pytest.mark.parametrize("module", PROMISED)
def test_each_promised_name_is_there_and_says_where_it_is_now(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if module in MOVED and not (ROOT / module.replace(".", "/")).exists():
        monkeypatch.delitem(sys.modules, module, raising=False)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ResourceWarning)  # of what a test before left to the garbage collector
        for name in PROMISED[module].split():
            scope: dict[str, object] = {}
            exec(f"from {module} import {name}", scope)
            assert scope[name] is not None
    assert {one.category for one in said} <= {DeprecationWarning}
    assert {str(one.message) for one in said} >= ({MOVED[module] + GONE} if module in MOVED else set())
    assert module in MOVED or not said
    assert all(one.filename == "<string>" for one in said), "it names the line that imports"


def test_what_has_another_name_now_is_the_same_class() -> None:
    with pytest.warns(DeprecationWarning, match=MOVED["engine.runtime"]):
        old = import_module("engine.runtime").Engine
    assert old is import_module("engine.runtime.engine").Engine
    assert import_module("workflows.payments").Form is import_module("workflows.ports.payments").Form


def test_a_name_that_never_was_is_an_error_as_ever() -> None:
    with pytest.raises(ImportError, match=r"cannot import name 'Machine' from 'engine\.runtime'"):
        exec("from engine.runtime import Machine")
    with pytest.raises(ImportError, match=r"cannot import name 'Cheque' from 'workflows\.payments'"):
        exec("from workflows.payments import Cheque")
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'engine\.vault'"):
        import_module("engine.vault")


def test_the_example_of_the_page_imports_nothing_that_moved(tmp_path: Path) -> None:
    (tmp_path / "tetsuzuki_sms.py").write_text(blocks("python")[0], encoding="utf-8")
    command = [sys.executable, "-W", "error::DeprecationWarning:tetsuzuki_sms", "-c", "import tetsuzuki_sms"]
    done = subprocess.run(command, cwd=tmp_path, env=_here(), capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


def test_the_payment_method_of_the_page_passes_its_kit_and_is_told_what_moved(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "always::DeprecationWarning"]
    done = subprocess.run(
        command, cwd=written(tmp_path), env=_here(tmp_path), capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = set(re.findall(r"DeprecationWarning: (workflows.*)", done.stdout))
    assert said == {MOVED["workflows.payments"] + GONE, MOVED["workflows.testing"] + GONE}


def test_the_plugins_of_the_page_work_in_a_site_of_today(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock, mailer: MemoryMailer
) -> None:
    """A customer chooses the payment method, and the gateway gets the text message."""
    folder = written(tmp_path / "written")
    (folder / "tetsuzuki_sms.py").write_text(blocks("python")[0], encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    store, sms = import_module("tetsuzuki_convenience_store"), import_module("tetsuzuki_sms")
    extra = [("convenience_store", store.ConvenienceStore), ("sms", sms.Sms), ("memory", memory_plugin(mailer))]
    with provider() as gateway:
        plugins = {"convenience_store": {"key": "a key"}, "sms": {"gateway": gateway.address, "token": "s3cr3t"}}
        settings = Settings(
            secret_key=SECRET,
            database_url=sqlite_url,
            base_url="http://localhost",
            var=tmp_path / "var",
            password_cost=CHEAP,
            mailer="memory",
            plugins={**PLUGINS, **plugins},
        )
        clock.now = APRIL
        site = build(settings, clock=clock, plugins=plugins_of(settings, extra=extra))
        try:
            assert site.plugins.failures == ()
            of = contract()
            number = ask(site, of, account(of), "convenience_store", {"store": "みほんマート"})
            work(site)
            assert state(site, number) == "scheduled"
            reminder = Delivery("sms", "reminder", "08000000000", "customer:1", {}, "ja")
            assert site.plugins.effect_handlers()["sms"].deliver(reminder, "a key") == Accepted()
        finally:
            site.close()
            for module in ("tetsuzuki_convenience_store", "tetsuzuki_sms"):
                sys.modules.pop(module, None)
    assert [one.headers["idempotency-key"] for one in gateway.asked] == ["a key"]


def _here(*more: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *more)))}

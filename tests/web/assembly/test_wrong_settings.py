"""Every key of the manual, with wrong values of every kind: the start is refused with a line that says all there is.

The keys are read from the tables of docs/operations.md, so a key that is new there, or in the code, must be tried here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from engine.business_time import CalendarSettings
from engine.configuration.tables import keys
from engine.errors import SettingsError
from web.assembly.retention import Retention
from web.assembly.settings import KEYS, PREFIX, read
from web.assembly.site import build, plugins_of, problems_of
from workflows.business.catalogue import ProductSettings
from workflows.organisation import Organisation
from workflows.review import ReviewSettings
from workflows.typesetting.fonts import opened

ROOT = Path(__file__).parents[3]
MANUAL = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").split("\n## Settings\n")[1].split("\n## ")[0]
BUNDLED = {one.name: one for one in entry_points(group="tetsuzuki.plugins") if one.value.startswith("plugins.")}
CONFIGS: Mapping[str, type[Any]] = {name: one.load().Config for name, one in BUNDLED.items()}
NESTED: Mapping[str, type[Any]] = {
    "organisation": Organisation,
    "products": ProductSettings,
    "calendar": CalendarSettings,
    "review": ReviewSettings,
    "retention": Retention,
}
AT_THE_TOP = ("site_name", "mail_from")  # of what [organisation] would have


def manual_rows() -> Iterator[tuple[list[str], str]]:
    """What the first column of each row names, and what the others say."""
    for row in re.findall(r"^\| (`.*?) \|(.*)\|$", MANUAL, re.MULTILINE):
        yield re.findall(r"`([^`]+)`", row[0]), row[1]


def manual_keys() -> dict[str, str]:
    """Each key of the first table, by the dotted name; the words that tell of those in tables stay with the table."""
    return {name.strip("[]").split(".")[0]: said for names, said in manual_rows() for name in names if name in _TOP}


_TOP = {name for name in KEYS if name not in (*NESTED, "plugins")} | {
    "[organisation]",
    "[products.<name>]",
    "[calendar]",
    "[review]",
    "[retention]",
    "[plugins.<name>]",
}
BY_TABLE = {
    "organisation": [f"organisation.{name}" for name in keys(Organisation) if name not in AT_THE_TOP],
    "products": [f"products.board.{name}" for name in keys(ProductSettings)],
    "calendar": [f"calendar.{name}" for name in keys(CalendarSettings)],
    "review": [f"review.{name}" for name in keys(ReviewSettings)],
    "retention": [f"retention.{name}" for name in keys(Retention)],
}
TOP = [name for name in KEYS if name not in (*NESTED, "plugins")]
PLUGINS = [f"plugins.{name}.{key}" for name, config in CONFIGS.items() for key in ("enabled", *keys(config))]
EVERY = [*TOP, *(key for table in BY_TABLE.values() for key in table), *PLUGINS, *NESTED, "plugins"]

# What is right, as TOML: the first value stands in the file while another key is tried.
TEXT = ['"見本"']
SECONDS = ["0.5", "10"]
RIGHT: Mapping[str, list[str]] = {
    "database_url": ['"sqlite:///{tmp}/site.db"', '"postgresql://user:secret@localhost/name"'],
    "base_url": ['"https://support.example.jp"', '"http://[::1]:8000/"'],
    "secret_key": ['"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"'],
    "smtp_url": ['"smtp://127.0.0.1:25"', '"smtp+starttls://user:secret@mail.example.jp:587"'],
    "mail_from": ['"support@example.jp"', '"サポート <support@example.jp>"'],
    "mailer": ['"smtp_mailer"'],
    "billing": ['"ledger"'],
    "disk_usage": ['"http_usage"'],
    "required_plugins": ['"ledger, notice_site"', "[]"],
    "site_name": TEXT,
    "timezone": ['"Asia/Tokyo"', '"UTC"'],
    "log_format": ['"text"', '"json"'],
    "metrics_token": ['"0123456789abcdef"'],
    "collect_from": ["2026-12-01", '"2026-12-01"'],
    "confirm_first_account": ["false"],
    "tracing": ["false"],
    "var": ['"{tmp}/var"', '"{tmp}"'],
    "document_font": ['"{tmp}/font.otf"'],
    "terms": ['"{tmp}/terms.pdf"'],
    "notice_pace": ["0", "20", "1000"],
    "trusted_proxies": ["0", "1", "10"],
    "threads": ["16", "1", "1000"],
    "password_cost": ['"1,8,1"', "[2, 19456, 1]"],
    "organisation.company": TEXT,
    "organisation.support_centre": TEXT,
    "organisation.email": ['"support@example.jp"'],
    "organisation.phone": ['"0120-000-000"'],
    "organisation.hours": TEXT,
    "organisation.customer_number_pattern": ['"A[0-9]{8}"'],
    "organisation.staff_language": ['"ja"', '"en"'],
    "organisation.staff_email": ['"staff@example.jp"'],
    "organisation.disk_usage_faq": ['"https://faq.example.jp/--612"'],
    "organisation.opening_mail": TEXT,
    "products.board.title": TEXT,
    "products.board.url": ['"https://{subdomain}.example.com/"'],
    "products.board.options": ["{big = 'Big'}", "{}"],
    "products.board.least_users": ["1", "5"],
    "products.board.most_users": ["99999", "5"],
    "products.board.unusual_users": ["1", "99999"],
    "calendar.country": ['"JP"', '"US"'],
    "calendar.holidays": ["[2026-12-29]", '["2026-12-29"]', "[]"],
    "calendar.opens": ['"9:00"', "09:00:00"],
    "calendar.closes": ['"17:30"', "23:59:00"],
    "review.kinds": ['["term"]', "[]"],
    "review.working_days": ["2", "60"],
    "retention.outbox": ["90", "7"],
    "retention.payment_reports": ["90", "7"],
    "retention.request_keys": ["30", "1"],
    "retention.books": ["10", "7"],
    "plugins.ledger.prices": ["{}", "{board = {users = [{from = 1, month = 400}]}}"],
    "plugins.ledger.tax": ['[{from = "2019-10-01", rate = "0.10"}]'],
    "plugins.smtp_mailer.url": ['"smtp://127.0.0.1:25"', '{env = "SOME_URL"}'],
    "plugins.smtp_mailer.timeout": SECONDS,
    "plugins.smtp_mailer.accept_timeout": SECONDS,
    "plugins.smtp_mailer.ca_file": ['"{authorities}"'],
    "plugins.smtp_mailer.hostname": ['"support.example.jp"'],
    "plugins.http_usage.url": ['"https://{subdomain}.example.jp/{product}"'],
    "plugins.http_usage.timeout": SECONDS,
    "plugins.http_usage.cache": ["600", "0"],
    "plugins.http_usage.token": ['"secret"', '{env = "SOME_TOKEN"}'],
    "plugins.http_usage.header": ['"X-Api-Key"'],
    "plugins.bank_transfer.bank": TEXT,
    "plugins.bank_transfer.branch": TEXT,
    "plugins.bank_transfer.kind": TEXT,
    "plugins.bank_transfer.number": ['"7654321"'],
    "plugins.bank_transfer.holder": TEXT,
    "plugins.direct_debit.postcode": ['"220-0012"'],
    "plugins.direct_debit.address": TEXT,
    "plugins.direct_debit.department": TEXT,
    "plugins.direct_debit.day": ["27", "1"],
    "plugins.direct_debit.collector": TEXT,
    "plugins.direct_debit.yucho_account": ['"00100-1-123456"', '"01234-5-6"'],
    "plugins.direct_debit.yucho_payee": TEXT,
    "plugins.direct_debit.yucho_kind": ['"30"'],
    "plugins.direct_debit.collector_code": ['"0000123456"'],
    "plugins.direct_debit.collector_kana": ['"カ）ネオ"'],
    "plugins.direct_debit.collector_bank": ['"0001"'],
    "plugins.direct_debit.collector_branch": ['"005"'],
    "plugins.direct_debit.collector_kind": ['"ordinary"', '"current"'],
    "plugins.direct_debit.collector_number": ['"7654321"'],
    "plugins.direct_debit.newlines": ['"none"', '"crlf"', '"lf"'],
    "plugins.direct_debit.moved": ['"later"', '"earlier"'],
    "plugins.card_stripe.api_key": ['"sk_test_x"'],
    "plugins.card_stripe.webhook_secret": ['"whsec_x"'],
    "plugins.card_stripe.origins": ['["https://checkout.stripe.com"]', "[]"],
    "plugins.card_stripe.timeout": SECONDS,
    "plugins.card_stripe.tolerance": ["300"],
    "plugins.card_stripe.retry_days": ["[3, 7]", "[]"],
    "plugins.card_stripe.api_base": ['"https://api.stripe.com"'],
    "plugins.demo_usage.gigabytes": ["10"],
    "plugins.dev_mailbox.keep": ["500"],
    **{f"plugins.{name}.enabled": ["true", "false"] for name in CONFIGS},
    "organisation": ["{}"],
    "products": ["{}"],
    "calendar": ["{}"],
    "review": ["{}"],
    "retention": ["{}"],
    "plugins": ["{}"],
}

# Wrong for whatever takes something else: types, emptiness, bounds, and what no text may hold.
WRONG = (
    *("true", "[]", "[1]", "[[]]", "{}", "{a = 1}", '[{a = "b"}]', "2026-12-29", "2026-12-29T07:32:00Z", "07:32:00"),
    *("0", "-1", "1.5", "-0.5", "nan", "inf", "-inf", "1e300", "9" * 400, "0x" + "f" * 8000),
    *('""', '"   "', '"\\t"', '"　"', '"a\\u0000b"', '"a\\nb"', '"\\u001b[31m"', '"a\\u2028b"', f'"{"x" * 20_001}"'),
)
# What of WRONG is right for some keys.
FITS = {
    "confirm_first_account": {"true"},
    "tracing": {"true"},
    **{f"plugins.{name}.enabled": {"true"} for name in CONFIGS},
    "notice_pace": {"0"},
    "trusted_proxies": {"0"},
    "plugins.http_usage.cache": {"0"},
    "products.board.options": {"{}"},
    "plugins.ledger.prices": {"{}"},
    "calendar.holidays": {"[]"},
    "collect_from": {"2026-12-29"},
    "review.kinds": {"[]"},
    "plugins.card_stripe.origins": {"[]"},
    "plugins.card_stripe.retry_days": {"[]", "[1]"},
    "calendar.opens": {"07:32:00"},
    "organisation": {"{}"},
    "products": {"{}"},
    "calendar": {"{}"},
    "review": {"{}"},
    "retention": {"{}"},
    "plugins": {"{}"},
    "plugins.smtp_mailer.timeout": {"1.5"},
    "plugins.http_usage.timeout": {"1.5"},
    "plugins.card_stripe.timeout": {"1.5"},
    "plugins.smtp_mailer.accept_timeout": {"1.5"},
}
PATHS = ('"no/such/file"', '"."', '"/dev/null"', '"{tmp}/empty"', '"/proc/1/mem"', f'"/{"d" * 300}"')
# Wrong for these keys alone.
OWN: Mapping[str, tuple[str, ...]] = {
    "database_url": (
        '"mysql://host/name"',
        '"sqlite:///"',
        '"sqlite://x"',
        '"sqlite:///{tmp}"',
        '"sqlite:////dev/null/x"',
    ),
    "base_url": (
        '"support.example.jp"',
        '"ftp://x"',
        '"https://x/path"',
        '"https://x?q"',
        '"http://[::1"',
        '"http://x:0"',
        '"https://a..b"',
        '"https://a.-b.jp"',
        f'"https://{"a" * 64}.jp"',
    ),
    "secret_key": ('"short"', '{env = "NOWHERE"}', '{env = "EMPTY"}', "{env = 5}"),
    "smtp_url": ('"mail.example.jp"', '"http://mail.example.jp"', '"smtp://user:hunter2@mail.example.jp"'),
    "mail_from": ('"nobody"', '"a@"', '"@b"', '"a b@example.jp"', '"a@b@c"', '"a@exa mple.jp"', '"a@-x-.jp"'),
    "mailer": ('"smtp_mialer"', '"SMTP_MAILER"', '"ledger"'),
    "billing": ('"erpp"', '"leger"', '"smtp_mailer"'),
    "disk_usage": ('"zzz"', '"http_usgae"'),
    "required_plugins": ('["legder"]', '"ledger,"', "[3]"),
    "timezone": ('"Asia"', '"Asia/Tokio"', '"../../etc/passwd"', '"JST+9:00"'),
    "log_format": ('"xml"', '"JSON"'),
    "metrics_token": ('"short"', '"with a space in it"', '"ことばことばことばことばことばこと"'),
    "collect_from": ('"2026-13-01"', '"tomorrow"', "2026-12-01T00:00:00Z"),
    "confirm_first_account": ('"true"', '"yes"', "1"),
    "tracing": ('"true"', '"yes"', "1"),
    "var": ('"{tmp}/terms.pdf"', '"/dev/null/x"', f'"/{"d" * 300}"'),
    "document_font": (*PATHS, '"{tmp}/terms.pdf"'),
    "terms": PATHS,
    "notice_pace": ('"20"', "-1", "1001"),
    "trusted_proxies": ('"1"', "11"),
    "threads": ('"16"', "1001"),
    "password_cost": (
        '"1,2"',
        '"1,8,1,1"',
        "[1, 8, true]",
        '"a,b,c"',
        '"0,8,1"',
        '"1,7,1"',
        "[1, 99999999, 1]",
        '"1,8,-1"',
    ),
    "organisation.email": ('"nobody"', '"A <a@example.jp>"'),
    "organisation.staff_email": ('"nobody"',),
    "organisation.customer_number_pattern": ('"A["', '"(?P<n>"', '"a{99999999999}"'),
    "organisation.disk_usage_faq": ('"faq.example.jp"', '"javascript:alert(1)"', '"https://"'),
    "products.board.url": ('"https://example.com/"', '"https://example.com/{subdomain}"', '"{subdomain}.example.com"'),
    "products.board.options": ("{big = ''}", "{'Big One' = 'Big'}", "{'' = 'x'}", "{big = 1}"),
    "products.board.least_users": ("100000",),
    "calendar.country": ('"JPN"', '"jp"', '"Japan"', '"XX"'),
    "calendar.holidays": ('["29.12.2026"]', '["2026-02-30"]', '["20261229"]', '"2026-12-29"'),
    "calendar.opens": ('"nine"', '"24:00"', '"9"', '"9:60"', '"18:00"'),
    "calendar.closes": ('"25:00"', '"8:00"'),
    "review.kinds": ('["oder"]', '["term", 1]', '"term"'),
    "review.working_days": ("61", '"2"'),
    "retention.outbox": ("6", "3651"),
    "retention.request_keys": ("3651", '"30"'),
    "retention.books": ("6", "31"),
    "plugins.ledger.prices": (
        "{bord = {users = [{from = 1, month = 1}]}}",
        "{board = {users = [{from = 2, month = 1}]}}",
    ),
    "plugins.ledger.tax": ('[{from = "2019-10-01", rate = 0.1}]', '[{form = "2019-10-01", rate = "0.1"}]'),
    "plugins.smtp_mailer.url": ('"hunter2"', '"smtps://user@host"', '{env = "NOWHERE"}', '"smtp://u:hunter2@host"'),
    "plugins.smtp_mailer.ca_file": (*PATHS, '"{tmp}/terms.pdf"'),
    "plugins.smtp_mailer.hostname": ('"a b"', '"a..b"'),
    "plugins.http_usage.url": (
        '"usage"',
        '"https://{customer}.example.jp"',
        '"https://{subdomain"',
        '"file:///etc/passwd"',
    ),
    "plugins.http_usage.timeout": ("61",),
    "plugins.http_usage.token": ('"見本"', '{env = "NOWHERE"}'),
    "plugins.http_usage.header": ('"X Evil:"',),
    "plugins.direct_debit.day": ("29",),
    "plugins.direct_debit.yucho_account": ('"10180-12345671"', '"00100-1-1234567"'),
    "plugins.card_stripe.api_key": ('"with space"',),
    "plugins.card_stripe.origins": ('["zzz"]', '["https://a.example/path"]', '"https://checkout.stripe.com"'),
    "plugins.card_stripe.retry_days": ("[0]", "[61]", "3", '["3"]', f"[{', '.join(['3'] * 11)}]"),
    "plugins.card_stripe.api_base": ('"api.stripe.com"', '"https://api.stripe.com/v1"'),
}
# Each stands in the file with what else its table needs.
WITH = {
    "products": {"title": RIGHT["products.board.title"][0], "url": RIGHT["products.board.url"][0]},
    "bank_transfer": {key: RIGHT[f"plugins.bank_transfer.{key}"][0] for key in ("bank", "branch", "number", "holder")},
    "direct_debit": {
        key: RIGHT[f"plugins.direct_debit.{key}"][0]
        for key in (
            *("yucho_account", "yucho_payee", "collector_code", "collector_kana"),
            *("collector_bank", "collector_branch", "collector_number"),
        )
    },
    "card_stripe": {key: RIGHT[f"plugins.card_stripe.{key}"][0] for key in ("api_key", "webhook_secret")},
}
SECRETS = re.compile(r"secret_key|smtp_url|database_url|metrics_token|token|api_key|webhook_secret|smtp_mailer\.url")


@dataclass(frozen=True)
class Place:
    """A folder with files to name, and a settings file in it."""

    folder: Path
    file: Path

    def write(self, key: str, value: str) -> None:
        """The settings in which `key` has this value."""
        *table, name = key.split(".")
        lines = {} if not table else dict(WITH.get(table[-1] if table[0] == "plugins" else table[0], {}))
        lines[name] = value.replace("{tmp}", str(self.folder)).replace("{authorities}", authorities())
        text = "".join(f"{one} = {given}\n" for one, given in lines.items())
        if key.startswith("plugins.ledger.prices"):  # which knows what is sold
            text += "[products.board]\n" + "".join(f"{one} = {given}\n" for one, given in WITH["products"].items())
        head = f"[{'.'.join(table)}]\n" if table else ""
        others = [one for one in CONFIGS if table[:1] == ["plugins"] and one != table[1]]  # which would take their time
        self.file.write_text(
            head + text + "".join(f"[plugins.{one}]\nenabled = false\n" for one in others), encoding="utf-8"
        )

    def write_all(self, values: Mapping[str, str]) -> None:
        """The settings of plugins in which each key has its value."""
        tables: dict[str, str] = {}
        for key, value in values.items():
            table, _, name = key.rpartition(".")
            tables[table] = f"{tables.get(table, '')}{name} = {value}\n"
        self.file.write_text("".join(f"[{table}]\n{text}" for table, text in tables.items()), encoding="utf-8")

    def environ(self, **more: str) -> dict[str, str]:
        given = {"SOME_URL": "smtp://127.0.0.1", "SOME_TOKEN": "hunter2", "EMPTY": "", **more}
        return {"TETSUZUKI_VAR": str(self.folder), "TETSUZUKI_SECRET_KEY": "k" * 32, **given}


def authorities() -> str:
    import certifi

    return certifi.where()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "terms.pdf").write_bytes(b"%PDF-1.7\n")
    (tmp_path / "font.otf").symlink_to(opened().faces[0].path)
    (tmp_path / "empty").touch()
    monkeypatch.chdir(tmp_path)
    for name in ("SOME_URL", "SOME_TOKEN", "EMPTY"):
        monkeypatch.setenv(name, {"SOME_URL": "smtp://127.0.0.1", "SOME_TOKEN": "hunter2"}.get(name, ""))
    return Place(tmp_path, tmp_path / "site.toml")


def refused(environ: dict[str, str], file: Path | None) -> str:
    """What the start says; "" where it would start."""
    try:
        settings = read(environ, file)
        loaded = plugins_of(settings)
        if problems_of(settings, loaded):  # as the start says it, which would open the database otherwise
            build(settings, plugins=loaded)
    except SettingsError as error:
        return str(error)
    return ""


def test_the_tables_of_the_manual_have_every_key_and_no_other() -> None:
    found = manual_keys()
    assert set(found) == set(KEYS)
    for table, of in NESTED.items():
        said = found[table]
        missing = [name for name in keys(of) if f"`{name}`" not in said and name not in AT_THE_TOP]
        assert missing == [], table
    described = {name: said for names, said in manual_rows() for name in names if name in CONFIGS}
    assert set(described) == set(CONFIGS)
    for name, config in CONFIGS.items():
        assert [key for key in keys(config) if f"`{key}`" not in described[name]] == [], name


def test_every_key_is_tried() -> None:
    assert sorted(RIGHT) == sorted(EVERY)


@pytest.mark.parametrize("key", sorted(RIGHT))
def test_right_values_pass(place: Place, key: str) -> None:
    for value in RIGHT[key]:
        place.write(key, value)
        environ = place.environ()
        environ.pop(PREFIX + key.upper(), None)
        assert refused(environ, place.file) == "", value


def wrong_for(key: str) -> list[str]:
    """The values of WRONG that this key does not take."""
    return [value for value in WRONG if value not in FITS.get(key, ()) and value not in RIGHT[key]]


def alone(key: str) -> bool:
    """Whether the key is tried by itself: what stands in the ledger's tables is read when all its keys are right."""
    return not key.startswith("plugins.") or key in ("plugins.ledger.prices", "plugins.ledger.tax")


@pytest.mark.parametrize("key", sorted(RIGHT))
def test_wrong_values_in_the_file_are_refused_with_one_line_each(place: Place, key: str) -> None:
    accepted, unclear = [], []
    for value in (*(wrong_for(key) if alone(key) else ()), *OWN.get(key, ())):
        place.write(key, value)
        environ = place.environ()
        environ.pop(PREFIX + key.upper(), None)
        said = refused(environ, place.file)
        if not said:
            accepted.append(value[:60])
        elif not is_clear(said, key, str(place.file), value):
            unclear.append((value[:60], said))
    assert (accepted, unclear) == ([], [])


@pytest.mark.parametrize("of", ["enabled", "Config"])
def test_wrong_values_of_all_plugins_are_refused_at_once(place: Place, of: str) -> None:
    chosen = [key for key in PLUGINS if not alone(key) and key.endswith(".enabled") == (of == "enabled")]
    together = {key: wrong_for(key) for key in chosen}
    for number in range(max(map(len, together.values()))):
        values = {key: wrong[number % len(wrong)] for key, wrong in together.items()}
        place.write_all(values)
        lines = refused(place.environ(), place.file).splitlines()
        for key, value in values.items():
            said = [line for line in lines if re.match(rf"{re.escape(str(place.file))}: {re.escape(key)}\b", line)]
            assert is_clear("\n".join(said), key, str(place.file), value), (key, value[:60], said)


def is_clear(said: str, key: str, source: str, value: str) -> bool:
    """Whether one line names the file or variable, the key, the value (unless it is secret) and what is expected."""
    lines = said.splitlines()
    names = key.split(".")
    named = all(re.search(rf"\b{name}\b", said) for name in names)
    wanted = any(word in said for word in ("expected", "there is no such", "must"))
    hidden = not SECRETS.search(key) or "hunter2" not in said
    unhidden = "(not shown)" in said if SECRETS.search(key) else True
    printable = all(line.isprintable() for line in lines)
    starts = all(line.startswith(f"{source}: ") for line in lines)
    one = len(lines) == 1 or value[0] in "[{"  # a table or a list may hold several wrong things
    return all((lines, starts, named, wanted, hidden, unhidden, printable, one))


OF_THE_ENVIRONMENT = ("   ", "\udcff", "\x07", "a\nb", "x" * 20_001)
OWN_OF_THE_ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "threads": ("0", "-1", "1.5", "many", "1001", "１６", "0x10", "1_0", "9" * 5000, " 4"),
    "notice_pace": ("-1", "fast", "1001"),
    "trusted_proxies": ("-1", "yes", "11", "true"),
    "collect_from": ("2026-13-01", "20261201", "tomorrow"),
    "confirm_first_account": ("1", "yes", "True"),
    "tracing": ("1", "yes", "True"),
    "password_cost": ("1,8", "1,8,x", "0,8,1"),
    "mail_from": ("nobody",),
    "billing": ("erpp",),
    "disk_usage": ("zzz",),
    "mailer": ("smtp_mialer",),
    "timezone": ("Mars/Phobos",),
    "log_format": ("xml",),
    "base_url": ("support.example.jp",),
    "secret_key": ("short",),
    "metrics_token": ("short",),
    "database_url": ("mysql://user:hunter2@host/name",),
    "smtp_url": ("smtp://user:hunter2@mail.example.jp",),
    "document_font": ("no/such/file", ".", "/dev/null", "terms.pdf"),
    "terms": ("no/such/file", ".", "/dev/null"),
    "var": ("/dev/null/x",),
}


@pytest.mark.parametrize("key", TOP)
def test_wrong_texts_of_the_environment_are_refused_with_one_line(place: Place, key: str) -> None:
    accepted, unclear = [], []
    for value in (*OF_THE_ENVIRONMENT, *OWN_OF_THE_ENVIRONMENT.get(key, ())):
        variable = PREFIX + key.upper()
        said = refused(place.environ(**{variable: value}), None)
        if not said:
            accepted.append(value[:60])
        elif not is_clear(said, key, variable, value):
            unclear.append((value[:60], said))
    assert (accepted, unclear) == ([], [])


@pytest.mark.parametrize("key", TOP)
def test_texts_of_the_environment_are_converted(place: Place, key: str) -> None:
    for value in RIGHT[key]:
        text = value.strip('"').replace("{tmp}", str(place.folder)).strip("[]")
        assert refused(place.environ(**{PREFIX + key.upper(): text}), None) == "", text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_what_must_not_be_read_or_written_is_refused(place: Place) -> None:
    (place.folder / "terms.pdf").chmod(0)
    place.write("terms", '"{tmp}/terms.pdf"')
    assert "(Permission denied)" in refused(place.environ(), place.file)
    locked = place.folder / "locked"
    locked.mkdir(mode=0o500)
    place.write("var", f'"{locked}"')
    environ = place.environ()
    del environ["TETSUZUKI_VAR"]
    assert "(it is not writable)" in refused(environ, place.file)


@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_commands_end_with_1_and_a_line_for_each_problem(place: Place, command: str) -> None:
    place.file.write_text('threads = 0\ncolour = "red"\n[calendar]\ncountry = "JPN"\n', encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environ |= {"TETSUZUKI_CONFIG": str(place.file), "TETSUZUKI_TERMS": "nowhere.pdf", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-m", "web", *command.split()],
        cwd=place.folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    begins = [
        f"tetsuzuki: {place.file}: threads = 0: expected a whole number from 1 to 1000",
        f"tetsuzuki: {place.file}: colour: there is no such key; there are: ",
        f'tetsuzuki: {place.file}: calendar.country = "JPN": expected a country',
        'tetsuzuki: TETSUZUKI_TERMS: terms = "nowhere.pdf": expected a PDF file',
    ]
    lines = ended.stderr.splitlines()
    assert [line[: len(start)] for line, start in zip(lines, begins, strict=True)] == begins
    assert not (place.folder / "var").exists()

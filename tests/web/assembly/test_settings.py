"""Settings come from a file and from the environment, are checked, and say what is wrong with them and where."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ConfigurationError, SettingsError
from engine.keyring import Keyring
from web.assembly import secret_keys
from web.assembly.settings import PREFIX, Settings, read

KEY = "k" * 32


def settings(tmp_path: Path, toml: str | None = None, **environ: str) -> Settings:
    """Settings of a file with this content and of this environment, and of nothing else."""
    file = tmp_path / "site.toml"
    if toml is not None:
        file.write_text(toml, encoding="utf-8")
    given = {"TETSUZUKI_VAR": str(tmp_path / "var"), **{PREFIX + name: value for name, value in environ.items()}}
    return read(given, file if toml is not None else None)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `tetsuzuki.toml` lies in the current folder."""
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_the_docs(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found.database_url == "sqlite:///var/tetsuzuki.db"
    assert found.base_url == "http://127.0.0.1:8000"
    assert (found.mail_from, found.site_name) == ("aporder@desknets.com", "クラウド版サポートサイト")
    assert (found.timezone, found.log_format, found.smtp_url) == ("Asia/Tokyo", "text", None)


def test_the_cost_of_a_password_is_what_is_recommended_unless_it_is_set(tmp_path: Path) -> None:
    assert settings(tmp_path).password_cost == (2, 19456, 1)
    assert settings(tmp_path, PASSWORD_COST="1, 8, 1").password_cost == (1, 8, 1)
    assert settings(tmp_path, "password_cost = [3, 65536, 4]").password_cost == (3, 65536, 4)


def test_the_file_of_the_current_folder_is_read_and_may_be_missing(tmp_path: Path) -> None:
    assert settings(tmp_path).site_name == "クラウド版サポートサイト"
    (tmp_path / "tetsuzuki.toml").write_text('site_name = "別のサイト"\n[plugins.smtp_mailer]\ntimeout = 5\n')
    found = settings(tmp_path)
    assert found.site_name == "別のサイト"
    assert found.plugins == {"smtp_mailer": {"timeout": 5}}


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml"):
        settings(tmp_path, CONFIG=str(tmp_path / "nowhere.toml"))
    (tmp_path / "named.toml").write_text('timezone = "UTC"')
    assert settings(tmp_path, CONFIG=str(tmp_path / "named.toml")).timezone == "UTC"


def test_the_environment_wins_over_the_file_and_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    toml = 'site_name = "file"\nthreads = 4\n'
    assert settings(tmp_path, toml).site_name == "file"
    assert settings(tmp_path, toml, SITE_NAME="environment", THREADS="8").threads == 8
    assert settings(tmp_path, toml, SITE_NAME="environment").site_name == "environment"
    assert settings(tmp_path, toml, SITE_NAME="").site_name == "file"


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('basE_url = "http://x"', r'site\.toml: basE_url: there is no such key; did you mean "base_url"\?'),
        ("[plugin.smtp_mailer]", r'site\.toml: plugin: there is no such key; did you mean "plugins"\?'),
        ("site_name = 5", r"site\.toml: site_name = 5: expected a text of one line"),
        ("threads = true", r"site\.toml: threads = true: expected a whole number from 1 to 1000"),
        ("threads = -1", r"site\.toml: threads = -1: expected a whole number"),
        ("threads = 1.5", r"site\.toml: threads = 1.5: expected a whole number"),
        ("threads = 0", r"site\.toml: threads = 0: expected a whole number"),
        ("password_cost = [1, 2]", r"site\.toml: password_cost = \[1, 2\]: expected passes \(1 to 100\), KiB"),
        ('plugins = "x"', r'site\.toml: plugins = "x": expected tables of plugins, as in \[plugins\.smtp_mailer\]'),
        ("site_name = ", r"site\.toml: expected a TOML file in UTF-8 \(Invalid value \(at "),
        ('timezone = "Mars/Phobos"', 'timezone = "Mars/Phobos": expected a time zone like Asia/Tokyo'),
        ('timezone = "../../etc/passwd"', "timezone = .*: expected a time zone"),
        ('log_format = "xml"', 'log_format = "xml": expected one of text, json'),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_what_was_expected(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        settings(tmp_path, toml)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('threads = 3\nsite_name = "サイト"'.encode("cp932"), r"line 2 reads as Shift_JIS \(CP932\); save it as UTF-8"),
        ('site_name = "日本語"'.encode("euc_jp"), r"line 1 reads as .*; save it as UTF-8"),
        (b'site_name = "\x81"', r"line 1 has the byte 0x81; save it as UTF-8"),
        ('site_name = "サイト"'.encode("utf-16"), r"it is UTF-16; save it as UTF-8"),
        ("a = " + "[" * 5000, r"a value is too long or too deep"),
        (b"threads = " + b"9" * 5000, r"a value is too long or too deep"),
        (b"#" * 1_000_001, r"it has more than 1000000 bytes"),
        (b"\0", r"Invalid statement"),
    ],
)
def test_a_file_that_is_no_toml_in_utf_8_is_named_with_what_it_is(
    tmp_path: Path, content: bytes | str, said: str
) -> None:
    (tmp_path / "tetsuzuki.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError, match=rf"^tetsuzuki\.toml: expected a TOML file in UTF-8 \(.*{said}") as found:
        settings(tmp_path)
    assert "\n" not in str(found.value)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "tetsuzuki.toml").write_text('site_name = "サイト"', encoding="utf-8-sig")
    assert settings(tmp_path).site_name == "サイト"


@pytest.mark.parametrize("kind", ["folder", "missing", "fifo"])
def test_what_is_no_file_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "named.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    said = {"folder": "it is a folder", "missing": "there is no such file", "fifo": "it is no regular file"}[kind]
    with pytest.raises(SettingsError, match=rf"named\.toml: expected a TOML file in UTF-8 \({said}\)$"):
        settings(tmp_path, CONFIG=str(path))


def test_every_problem_of_file_and_environment_is_a_line_of_its_own(tmp_path: Path) -> None:
    toml = 'threads = 0\nmail_from = "nobody"\n[calendar]\ncountry = "JPN"\n[review]\nkinds = ["term", "oder"]\n'
    with pytest.raises(SettingsError) as found:
        settings(tmp_path, toml, LOG_FORMAT="xml", MAIL_FROM="ok@example.jp")
    file = tmp_path / "site.toml"
    assert str(found.value).splitlines() == [
        f"{file}: threads = 0: expected a whole number from 1 to 1000",
        f'{file}: calendar.country = "JPN": expected a country\'s code of two letters (ISO 3166-1), like JP; '
        'did you mean "JP"?',
        f'{file}: review.kinds[2] = "oder": expected one of users, options, term, order, details, payment_method; '
        'did you mean "order"?',
        'TETSUZUKI_LOG_FORMAT: log_format = "xml": expected one of text, json',
    ]


def test_a_misspelt_variable_is_told_and_one_of_somebody_else_is_not(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^TETSUZUKI_THREDS: there is no such variable; did you mean TETSUZUKI_TH"):
        settings(tmp_path, THREDS="5")
    with pytest.raises(SettingsError, match=r"^TETSUZUKI_REVIEW: review: expected a table \[review\] in the file"):
        settings(tmp_path, REVIEW="term")
    of_kubernetes = {"PORT": "tcp://10.0.0.1:80", "SERVICE_HOST": "10.0.0.1", "PORT_80_TCP_ADDR": "10.0.0.1"}
    assert settings(tmp_path, **of_kubernetes, TRIALS="1").threads == 16


def test_a_key_knows_where_it_stands(tmp_path: Path) -> None:
    found = settings(tmp_path, 'threads = 4\nbilling = "ledger"', THREADS="5")
    assert str(found.place("threads")) == "TETSUZUKI_THREADS: threads"
    assert str(found.place("billing")) == f"{tmp_path / 'site.toml'}: billing"
    assert found.names("billing")  # although it is what it would be without
    assert not found.names("mailer")


def test_the_value_of_an_unknown_key_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as found:
        settings(tmp_path, 'sercet_key = "hunter2"\n[plugins]\n[organisation]\n"pass\\nword" = "hunter2"')
    assert "hunter2" not in str(found.value)
    assert len(str(found.value).splitlines()) == 2


@pytest.mark.parametrize("name", ["secret_key", "smtp_url", "database_url"])
def test_an_error_about_a_secret_does_not_show_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError) as found:
        settings(tmp_path, f"{name} = [12345678]")
    assert "12345678" not in str(found.value)


def test_a_secret_is_not_in_the_repr(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        SECRET_KEY="hunter2" * 8,
        SMTP_URL="smtp://user:hunter2@host",
        DATABASE_URL="postgresql://user:hunter2@host/name",
    )
    assert "hunter2" not in repr(found)


# -- SECRET_KEY --------------------------------------------------------------------------------------------------------


def test_reading_the_settings_never_makes_a_secret_key(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert (found.secret_key, found.keyring) == (b"", None)
    assert not (tmp_path / "var").exists()


def test_the_secret_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    first = secret_keys.make(tmp_path / "var")
    path = tmp_path / "var" / "secret.key"
    assert len(first[0]) >= 32
    assert path.read_text() == first[0].decode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret_keys.make(tmp_path / "var") == (settings(tmp_path).secret_key,) == first
    assert secret_keys.make(tmp_path / "other") != first
    assert [found.name for found in path.parent.iterdir()] == ["secret.key"]


def test_a_new_key_is_put_above_the_others_and_only_its_owner_may_read_them(tmp_path: Path) -> None:
    (old,) = secret_keys.make(tmp_path / "var")
    secret_keys.put_first(tmp_path / "var")
    found = settings(tmp_path)
    assert found.secret_key != old
    assert found.old_secret_keys == (old,)
    path = tmp_path / "var" / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["secret.key"]


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may give a file away")
def test_a_new_key_stays_the_services_own(tmp_path: Path) -> None:
    """Root gives the command, and the service could not read its key any more."""
    secret_keys.make(tmp_path / "var")
    path = tmp_path / "var" / "secret.key"
    os.chown(path, 65534, 65534)
    secret_keys.put_first(tmp_path / "var")
    assert (path.stat().st_uid, path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (65534, 65534, 0o600)


OLD = "o" * 32


@pytest.mark.parametrize("between", [",", " ", ", ", "\n", " ,\t"])
def test_several_keys_from_the_environment_are_parted_by_commas_or_spaces(tmp_path: Path, between: str) -> None:
    found = settings(tmp_path, SECRET_KEY=f"{KEY}{between}{OLD}")
    assert (found.secret_key, found.old_secret_keys) == (KEY.encode(), (OLD.encode(),))
    assert found.keyring == Keyring((KEY.encode(), OLD.encode()))


def test_several_keys_in_the_file_are_a_list_whose_texts_are_never_parted(tmp_path: Path) -> None:
    found = settings(tmp_path, f'secret_key = ["{KEY},{OLD}", "{OLD} {OLD}"]')
    assert (found.secret_key, found.old_secret_keys) == (f"{KEY},{OLD}".encode(), (f"{OLD} {OLD}".encode(),))
    assert settings(tmp_path, f'secret_key = "{KEY},{OLD}"').secret_key == f"{KEY},{OLD}".encode()


def test_a_passphrase_with_spaces_commas_or_line_breaks_is_one_key(tmp_path: Path) -> None:
    phrase = "a long passphrase, of words that somebody chose, and of spaces"
    found = settings(tmp_path, SECRET_KEY=phrase)
    assert (found.secret_key, found.old_secret_keys) == (phrase.encode(), ())
    (tmp_path / "var").mkdir()
    for text, keys in (
        (f"{phrase}\n{OLD}\n\n", (phrase, OLD)),
        (f"{OLD}\nand a shorter end\n", (f"{OLD}\nand a shorter end",)),
        (f"  {KEY} \n", (KEY,)),
    ):
        (tmp_path / "var" / "secret.key").write_text(text)
        assert secret_keys.from_file(tmp_path / "var") == tuple(key.encode() for key in keys)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[]", "it is an empty list"),
        (f'["{KEY}", "short"]', "key 2 of 2: it has 5 characters"),
        (f'["{KEY}", 7]', "key 2 of 2: given a value of type int"),
        ("7", "expected at least 32 characters, or a list of such texts with the newest first"),
    ],
)
def test_a_wrong_list_of_keys_is_said_and_none_is_shown(tmp_path: Path, value: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as found:
        settings(tmp_path, f"secret_key = {value}")
    assert KEY not in str(found.value)


def test_a_secret_key_that_is_given_is_used_and_none_is_made(tmp_path: Path) -> None:
    assert settings(tmp_path, SECRET_KEY=KEY).secret_key == KEY.encode()
    assert not (tmp_path / "var").exists()


def test_a_short_secret_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"_SECRET_KEY: secret_key \(not shown\): expected at least 32"):
        settings(tmp_path, SECRET_KEY="k" * 31)
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "secret.key").write_text("")
    with pytest.raises(ConfigurationError, match=r"secret\.key: at least 32 characters"):
        settings(tmp_path)


def test_several_machines_must_be_given_the_same_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="set TETSUZUKI_SECRET_KEY"):
        settings(tmp_path, DATABASE_URL="postgresql://host/name")
    assert not (tmp_path / "var").exists()
    found = settings(tmp_path, DATABASE_URL="postgresql://host/name", SECRET_KEY=KEY)
    assert found.secret_key == KEY.encode()


# -- BASE_URL ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "read_as"),
    [
        ("https://support.example.jp", "https://support.example.jp"),
        ("https://support.example.jp/", "https://support.example.jp"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("http://192.0.2.1", "http://192.0.2.1"),
        ("http://support_site", "http://support_site"),
    ],
)
def test_a_base_url_is_scheme_host_and_port(tmp_path: Path, given: str, read_as: str) -> None:
    assert settings(tmp_path, BASE_URL=given).base_url == read_as


@pytest.mark.parametrize(
    "given",
    [
        "support.example.jp",
        "ftp://support.example.jp",
        "https://",
        "https:///path",
        "https://support.example.jp/site",
        "https://support.example.jp/?a=b",
        "https://support.example.jp/#a",
        "https://user:password@support.example.jp",
        "https://support.example.jp:eighty",
        "https://support.example.jp:99999",
        "https://support.example.jp:0",
        "https://[::1",
        "https://support example.jp",
        "https://support.example.jp\\@evil.example",
        "https://サポート.example",
    ],
)
def test_a_base_url_of_another_form_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(ConfigurationError, match=r"TETSUZUKI_BASE_URL: base_url = .*: expected http\(s\)://host"):
        settings(tmp_path, BASE_URL=given)


def test_what_the_caller_says_wins_over_both(tmp_path: Path) -> None:
    given: dict[str, Any] = {"demo": True, "base_url": "http://127.0.0.1:9000/", "secret_key": b"x" * 32}
    found = read({"TETSUZUKI_BASE_URL": "https://support.example.jp"}, **given)
    assert (found.demo, found.base_url) == (True, "http://127.0.0.1:9000")


def test_a_secret_that_was_pasted_for_the_name_of_a_variable_is_not_shown(tmp_path: Path) -> None:
    for pasted in ("0123456789abcdef" * 4, "hunter2", "A" * 64):
        with pytest.raises(ConfigurationError) as found:
            settings(tmp_path, f'secret_key = {{env = "{pasted}"}}')
        assert pasted not in str(found.value)
        assert "that environment variable is not set" in str(found.value)

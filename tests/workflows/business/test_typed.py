"""What people type, in every width, case and with everything that comes along when it is copied."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.attempt import Refusal
from engine.errors import ConfigurationError
from engine.text import reading_in
from workflows.business import typed
from workflows.business.catalogue import (
    BILLING_MODES,
    CHANNELS,
    DEFAULT_CATALOGUE,
    PAYMENT_METHODS,
    TERM_LABELS,
    Catalogue,
    Product,
)
from workflows.business.typed import Subdomain
from workflows.organisation import CUSTOMER_NUMBER_PATTERN, Organisation

# Any code point, lone surrogates too: a request body may hold them.
ANYTHING = st.text(st.characters(codec=None, exclude_categories=()))
SHARED = Catalogue(
    {
        "wiki": Product("wiki", "Wiki", "https://{subdomain}.example.com/wiki/"),
        "chat": Product("chat", "Chat", "https://{subdomain}.example.com/chat/"),
        "mail": Product("mail", "Mail", "https://{subdomain}.mail.example.com/"),
    }
)


def code(result: object) -> str:
    """The code of a refusal, which also names its field."""
    assert isinstance(result, Refusal)
    assert result.field is not None
    assert result.code.startswith(result.field + "_")
    assert str(result.message)
    return result.code


# normalise


@given(ANYTHING)
@example("\u00a8 ")
@example("a\u200b\u0301")
def test_normalise_is_idempotent(text: str) -> None:
    once = typed.normalise(text)
    assert typed.normalise(once) == once
    assert once == once.strip()
    assert unicodedata.is_normalized("NFKC", once)


@pytest.mark.parametrize(
    "text", ["A1", "\ufeffA1", " \u3000A1\u3000 ", "Ａ１", "A\u200b1", "\u200b \u200bA1\u202c", "\u202aA1", "A\u00ad1"]
)
def test_what_cannot_be_seen_makes_no_difference(text: str) -> None:
    assert typed.normalise(text) == "A1"


# customer number


@pytest.mark.parametrize(
    "text",
    ["A12345678", "a12345678", "Ａ１２３４５６７８", "ａ１２３４５６７８", "\u3000A12345678\n", "A1234\u200b5678"],
)
def test_g11_customer_number_in_any_width_and_case(text: str) -> None:
    assert typed.customer_number(text, CUSTOMER_NUMBER_PATTERN) == "A12345678"


@pytest.mark.parametrize("text", ["12345678", "１２３４５６７８"])
def test_g11_the_a_must_be_typed(text: str) -> None:
    result = typed.customer_number(text, CUSTOMER_NUMBER_PATTERN)
    assert code(result) == "customer_number_prefix"
    assert isinstance(result, Refusal)
    assert "「A」" in str(result.message)


@pytest.mark.parametrize("text", ["", "\u3000", "\u200b"])
def test_empty_customer_number_is_missing(text: str) -> None:
    assert code(typed.customer_number(text, CUSTOMER_NUMBER_PATTERN)) == "customer_number_missing"


@pytest.mark.parametrize(
    "text", ["A1234567", "A123456789", "B12345678", "A1234567٨", "A12345678 A", "AA12345678", "A" * 10**6]
)
def test_other_customer_numbers_are_invalid(text: str) -> None:
    assert code(typed.customer_number(text, CUSTOMER_NUMBER_PATTERN)) == "customer_number_invalid"


def test_g11_pattern_decides_the_spelling() -> None:
    assert typed.customer_number("KD-12", "kd-[0-9]+") == "kd-12"
    assert typed.customer_number("Kd12", "Kd[0-9]+") == "Kd12"
    assert code(typed.customer_number("12", "KD[0-9]+")) == "customer_number_prefix"
    assert code(typed.customer_number("٣", r"\d")) == "customer_number_invalid"


# subdomain


@pytest.mark.parametrize(
    "text",
    ["acme", "ACME", "ａｃｍｅ", "\u3000acme\u3000", "acme.", "a\u200bcme"],
)
def test_g13_name_alone_leaves_the_product_open(text: str) -> None:
    assert typed.subdomain(text, DEFAULT_CATALOGUE) == Subdomain("acme")


@pytest.mark.parametrize(
    "text",
    [
        "https://acme.dn-cloud.com/cgi-bin/dneo/dneo.cgi",
        "http://acme.dn-cloud.com/",
        "HTTPS://ACME.DN-CLOUD.COM/CGI-BIN/DNEO/DNEO.CGI",
        "acme.dn-cloud.com",
        "acme.dn-cloud.com.",
        "//acme.dn-cloud.com/x",
        "https://acme.dn-cloud.com:443/cgi-bin/dneo/dneo.cgi?page=1#top",
        "acme.dn-cloud.com:8443",
        "https://acme.dn-cloud.com?x=https://other.chatluck.net/",
        "https://acme.dn-cloud.com/cgi-bin/\r\n dneo/dneo.cgi",
        "ｈｔｔｐｓ：／／ａｃｍｅ．ｄｎ－ｃｌｏｕｄ．ｃｏｍ／",
        "acme。dn-cloud。com",
    ],
)
def test_g13_whole_url_decides_the_product(text: str) -> None:
    assert typed.subdomain(text, DEFAULT_CATALOGUE) == Subdomain("acme", "desknets-neo")


def test_g13_url_of_the_other_product() -> None:
    url = DEFAULT_CATALOGUE.url("chatluck", "acme")
    assert url == "https://acme.chatluck.net/cgi-bin/chatlk/chat.cgi"
    assert typed.subdomain(url, DEFAULT_CATALOGUE) == Subdomain("acme", "chatluck")


@pytest.mark.parametrize(
    "text",
    [
        "https://acme.example.com/",
        "acme.dn-cloud.com.example.com",
        "acmedn-cloud.com",
        "https://acme/",
        "acme/",
        "acme:80",
        "https://dn-cloud.com/",
    ],
)
def test_url_of_somebody_else_is_foreign(text: str) -> None:
    assert code(typed.subdomain(text, DEFAULT_CATALOGUE)) == "subdomain_foreign"


@pytest.mark.parametrize(
    "text",
    [
        "-acme",
        "acme-",
        "ac_me",
        "ac me",
        "a" * 64,
        "a..b",
        "日本",
        "xn--wgv71a",
        "xn--wgv71a.dn-cloud.com",
        "日本.dn-cloud.com",
        "www.acme.dn-cloud.com",
        ".dn-cloud.com",
        "https://",
        "https://user@acme.dn-cloud.com/",
        "taro@acme.dn-cloud.com",
        "ftp://acme.dn-cloud.com/",
        "javascript:acme",
        "https:acme.dn-cloud.com",
        "https://acme.dn-cloud.com:port/",
        "acme\\.dn-cloud.com",
        "aſ\ud800",
        "https://[::1]/",
    ],
)
def test_other_subdomains_are_invalid(text: str) -> None:
    assert code(typed.subdomain(text, DEFAULT_CATALOGUE)) == "subdomain_invalid"


def test_longest_label_and_leading_digit_are_valid() -> None:
    assert typed.subdomain("3" * 63, DEFAULT_CATALOGUE) == Subdomain("3" * 63)


def test_empty_subdomain_is_missing() -> None:
    assert code(typed.subdomain(" ", DEFAULT_CATALOGUE)) == "subdomain_missing"


def test_products_that_share_a_domain_are_told_apart_by_path() -> None:
    assert typed.subdomain("https://acme.example.com/chat/?a", SHARED) == Subdomain("acme", "chat")
    assert typed.subdomain("https://acme.example.com/", SHARED) == Subdomain("acme")
    assert typed.subdomain("https://acme.mail.example.com/", SHARED) == Subdomain("acme", "mail")


@given(ANYTHING)
def test_any_text_gives_a_valid_subdomain_or_a_refusal(text: str) -> None:
    result = typed.subdomain(text, DEFAULT_CATALOGUE)
    if isinstance(result, Refusal):
        assert result.field == "subdomain"
    else:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", result.name)
        assert typed.subdomain(result.name, DEFAULT_CATALOGUE) == Subdomain(result.name)


@given(
    st.from_regex(r"[a-z0-9]([a-z0-9]{0,61}[a-z0-9])?", fullmatch=True),
    st.sampled_from(sorted(DEFAULT_CATALOGUE.products)),
)
def test_every_environments_url_is_accepted_in_every_case(name: str, product: str) -> None:
    url = DEFAULT_CATALOGUE.url(product, name)
    assert DEFAULT_CATALOGUE.host(product, name) in url
    for text in (url, url.upper(), url.removeprefix("https://")):
        assert typed.subdomain(text, DEFAULT_CATALOGUE) == Subdomain(name, product)


# e-mail


@pytest.mark.parametrize(
    "text",
    [
        "Taro@Example.CO.JP",
        " taro@example.co.jp\u3000",
        "ｔａｒｏ＠ｅｘａｍｐｌｅ．ｃｏ．ｊｐ",
        "\ufefftaro@example.co.jp",
    ],
)
def test_g18_mail_address_has_one_spelling(text: str) -> None:
    assert typed.email(text) == "taro@example.co.jp"


def test_international_domain_is_kept_in_ascii() -> None:
    assert typed.email("taro@日本.jp") == "taro@xn--wgv71a.jp"


@pytest.mark.parametrize(
    "text",
    [
        "taro",
        "@example.com",
        "taro@",
        ".@example.com",
        '""@example.com',
        '"a b"@example.com',
        '"a@b"@example.com',
        '"a"b@example.com',
        'a"..b@example.com',
        "a\\.b@example.com",
        "a..b@[127.0.0.1]",
        "a..b@localhost",
        "太郎@example.com",
        "a@b@example.com",
        "a b@example.com",
        "a@example.com\nBcc: x@example.com",
        "a@[127.0.0.1]",
        "a@localhost",
        "a@example..com",
        "\ud800@example.com",
        "a@\ud800.com",
    ],
)
def test_invalid_mail_addresses_are_refused(text: str) -> None:
    assert code(typed.email(text)) == "email_invalid"


@pytest.mark.parametrize(
    "address",
    [
        "a..b@docomo.ne.jp",
        "ab.@docomo.ne.jp",
        ".ab@ezweb.ne.jp",
        "a.-_.b..@t.vodafone.ne.jp",
        "..a/b?c+d@softbank.ne.jp",
    ],
)
def test_addresses_as_carriers_issued_them_are_stored_without_quotes(address: str) -> None:
    local_part, domain = address.split("@")
    assert typed.email(address) == address
    assert typed.email(f'"{local_part.upper()}"@{domain}') == address
    assert typed.email(address.translate({ord("."): "．", ord("@"): "＠"})) == address
    assert typed.email_of_account(f'"{local_part}"@{domain}') == address
    assert typed.email('"taro"@example.jp') == "taro@example.jp"


def test_local_part_has_at_most_64_octets_on_the_wire() -> None:
    for local_part, allowed in (("x" * 64, True), ("x" * 65, False), (".." + "x" * 60, True), (".." + "x" * 61, False)):
        address = f"{local_part}@example.jp"
        assert typed.email_of_account(address) == address
        if allowed:
            assert typed.email(address) == address
        else:
            refused = typed.email(address)
            assert code(refused) == "email_long"
            assert isinstance(refused, Refusal)
            assert ("62" if ".." in address else "64") in str(refused.message)


def test_mail_address_lengths() -> None:
    assert code(typed.email("a@" + ".".join(["d" * 60] * 4) + ".ddddddddd.jp")) == "email_long"
    domain = ".".join(["d" * 60] * 4)
    longest = "a" * (254 - len(domain) - 1 - 3) + "@" + domain + ".jp"
    assert len(longest) == 254
    assert code(typed.email("")) == "email_missing"
    assert code(typed.email("a" + longest)) == "email_long"
    assert typed.email(longest) == longest


@given(ANYTHING | st.emails())
def test_mail_address_is_its_own_canonical_form(text: str) -> None:
    result = typed.email(text)
    if isinstance(result, str):
        assert typed.email(result) == result
        assert result.isascii()
        assert len(result) <= 254
    else:
        assert result.field == "email"


# telephone and postcode


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0312345678", "03-1234-5678"),
        ("03 1234 5678", "03-1234-5678"),
        ("（０３）１２３４－５６７８", "03-1234-5678"),
        ("+81 3-1234-5678", "03-1234-5678"),
        ("03.1234.5678", "03-1234-5678"),
        ("03・1234・5678", "03-1234-5678"),
        ("03～1234～5678", "03-1234-5678"),
        ("03〜1234〜5678", "03-1234-5678"),
        ("℡03-1234-5678", "03-1234-5678"),
        ("TEL：03-1234-5678", "03-1234-5678"),
        ("03-1234-5678（代表）", "03-1234-5678（代表）"),
        ("03-1234-5678（代）", "03-1234-5678（代表）"),
        ("03-1234-5678㈹", "03-1234-5678（代表）"),
        ("03-1234-5678 代表", "03-1234-5678（代表）"),
        ("代表電話：03-1234-5678", "03-1234-5678（代表）"),
        ("03-1234-5678［直通］", "03-1234-5678（直通）"),
        ("携帯 090-1234-5678", "090-1234-5678（携帯）"),
        ("03-1234-5678～9", "03-1234-5678～9"),
        ("03-1234-5678 〜 80", "03-1234-5678～80"),
        ("03-1234-5678・5680", "03-1234-5678・5680"),
        ("03-1234-5678、03-1234-5680", "03-1234-5678・03-1234-5680"),
        ("03-1234-5678，5680", "03-1234-5678・5680"),
        ("03-1234-5678/5680", "03-1234-5678・5680"),
        ("03-1234-5678 内線123", "03-1234-5678 内線123"),
        ("03-1234-5678（内線：１２３）", "03-1234-5678 内線123"),
        ("03-1234-5678 内線 123、124", "03-1234-5678 内線123・124"),
        ("03-1234-5678 内線12-34", "03-1234-5678 内線12-34"),
        ("03-1234-5678～03-1234-5680", "03-1234-5678～03-1234-5680"),
        ("+81 (0)3-1234-5678", "03-1234-5678"),
        ("03-1234-5678 ext. 123", "03-1234-5678 内線123"),
        ("03-1234-5678(代)内線 123", "03-1234-5678（代表） 内線123"),
        ("03-1234-5678～9（代表）", "03-1234-5678～9（代表）"),
        ("+1 650-253-0000", "+1 650-253-0000"),
    ],
)
def test_telephone_numbers_are_stored_in_one_form(text: str, stored: str) -> None:
    assert typed.phone(text, "contractor_phone", 32) == stored
    assert typed.phone(stored, "contractor_phone", 32) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "（代表）",
        "内線123",
        "03-1234",
        "00066000000",
        "03-1234-5678～5679～5680",
        "03-1234-5678～12345",
        "03-1234-5678（代表）（代）",
        "03-1234-5678 内線1 内線2",
        "03-1234-5678 内線12・03-1234-5679",
        "03-1234-5678 ext. 1 内線2",
        "03-1234-5678、東京",
        "03-1234-5678・03-1234-5679・03-1234-5680",
        "03-1234-5678 03-1234-5679",
        "1" * 5000,
    ],
)
def test_what_is_no_telephone_number_is_refused_at_its_field(text: str) -> None:
    assert code(typed.phone(text, "contractor_phone", 32)) == "contractor_phone_invalid"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("312345678", "0312345678"),
        ("９０１２３４５６７８", "09012345678"),
        ("120123456", "0120123456"),
        ("312345678（代表）", "0312345678"),
    ],
)
def test_telephone_number_without_its_zero_is_asked_back(text: str, whole: str) -> None:
    refused = typed.phone(text, "contractor_phone", 32)
    assert code(refused) == "contractor_phone_zero"
    assert isinstance(refused, Refusal)
    assert f"「{whole}」" in str(refused.message)


@pytest.mark.parametrize(
    ("text", "whole"), [("600001", "060-0001"), ("10001", "001-0001"), ("６００００１", "060-0001")]
)
def test_postcode_without_its_zeros_is_asked_back(text: str, whole: str) -> None:
    refused = typed.postcode(text, "billing_postcode")
    assert code(refused) == "billing_postcode_zero"
    assert isinstance(refused, Refusal)
    assert f"「{whole}」" in str(refused.message)


def every_dash() -> list[str]:
    """Each character that Unicode calls a dash, and what is typed for one."""
    return [*(chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) == "Pd"), *"−ーｰ─━～〜∼・．一"]


def test_every_dash_parts_a_postcode_and_a_telephone_number() -> None:
    dashes = [dash for dash in every_dash() if dash.isprintable()]
    assert len(dashes) > 30
    for dash in dashes:
        assert typed.postcode(f"100{dash}0001", "postcode") == "100-0001", dash
        assert typed.phone(f"03{dash}1234{dash}5678", "phone", 32) == "03-1234-5678", dash


@pytest.mark.parametrize(
    "text",
    [
        "100 0001",
        "〒100-0001",
        "〒 １００　０００１",
        "1000001",
        "100 - 0001",
        "〶1000001",
        "郵便番号：100-0001",
        "\ufeff100-0001\n",
    ],
)
def test_postcodes_are_stored_in_one_form(text: str) -> None:
    assert typed.postcode(text, "billing_postcode") == "100-0001"


@pytest.mark.parametrize("text", ["", "1000", "10000001", "1-000001", "〒〒100-0001", "100-0001 東京", "١٠٠٠٠٠١"])
def test_what_is_no_postcode_is_refused_at_its_field(text: str) -> None:
    assert code(typed.postcode(text, "billing_postcode")) == "billing_postcode_invalid"


@given(ANYTHING | st.text("0123456789-～・（）代内線ext.+/、 ", max_size=30))
def test_any_text_gives_a_telephone_number_and_a_postcode_that_stay_or_a_refusal(text: str) -> None:
    for result, again in (
        (typed.phone(text, "phone", 32), lambda stored: typed.phone(stored, "phone", 32)),
        (typed.postcode(text, "postcode"), lambda stored: typed.postcode(stored, "postcode")),
    ):
        if isinstance(result, str):
            assert again(result) == result
            assert len(result) <= 32


# names


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("\u3000山田　太郎 ", "山田　太郎"),
        ("ＡＢＣ", "ＡＢＣ"),
        ("ｶﾅ", "ｶﾅ"),
        ("か\u3099", "が"),
        ("\ufa19谷 \ufa1b子", "\ufa19谷 \ufa1b子"),
        ("\u200b\ufeff O'Neil \u200b", "O'Neil"),
        ("葛\U000e0100城", "葛\U000e0100城"),
        ("x" * 60, "x" * 60),
        ("𠮷" * 60, "𠮷" * 60),
        ("taro.yamada", "taro.yamada"),
        ("Dr. J.Suzuki (情シス)", "Dr. J.Suzuki (情シス)"),
    ],
)
def test_g17_user_name_stays_as_its_owner_writes_it(text: str, kept: str) -> None:
    assert typed.user_name(text) == kept


@pytest.mark.parametrize(
    "text", ["a\nb", "a\0b", "a\tb", "a\x7fb", "a\u202eb", "a\u2028b", "a\x85b", "\ud800", "a\r\nBcc: x"]
)
def test_control_characters_in_names_are_refused(text: str) -> None:
    assert code(typed.user_name(text)) == "user_name_invalid"


@pytest.mark.parametrize(
    ("text", "expected"), [("", "missing"), ("\u3000\u200b ", "missing"), ("x" * 61, "long"), ("𠮷" * 10**6, "long")]
)
def test_user_name_has_1_to_60_characters(text: str, expected: str) -> None:
    assert code(typed.user_name(text)) == "user_name_" + expected


@pytest.mark.parametrize(
    "text", ["至急 https://evil.example/", "総務 evil.com", "ｅｖｉｌ．ｃｏｍ", "a@evil.example", "http:evil"]
)
def test_user_name_is_nothing_that_a_mail_makes_a_link_of(text: str) -> None:
    assert code(typed.user_name(text)) == "user_name_link"


@given(ANYTHING)
def test_names_are_idempotent(text: str) -> None:
    result = typed.single_line(text, "company", 200)
    if isinstance(result, str):
        assert typed.single_line(result, "company", 200) == result
        assert len(result) <= 200
        result.encode()


# catalogue and organisation


def test_defaults_are_the_guides() -> None:
    site = Organisation()
    assert (site.site_name, site.support_centre) == ("クラウド版サポートサイト", "クラウド版カスタマーセンター")
    assert (site.email, site.phone, site.mail_from) == (
        "cloudsupport@desknets.com",
        "0120-365-800",
        "aporder@desknets.com",
    )
    assert [str(title) for title in TERM_LABELS.values()] == ["月払い", "年間一括払い"]
    assert [str(title) for title in PAYMENT_METHODS.values()] == ["銀行振込", "口座振替", "クレジットカード決済"]
    assert DEFAULT_CATALOGUE.url("desknets-neo", "acme") == "https://acme.dn-cloud.com/cgi-bin/dneo/dneo.cgi"
    assert [product.title for product in DEFAULT_CATALOGUE.products.values()] == ["desknet's NEO", "ChatLuck"]


def test_every_title_has_an_english_text() -> None:
    with reading_in("en"):
        for title in (*TERM_LABELS.values(), *PAYMENT_METHODS.values(), *CHANNELS.values(), *BILLING_MODES.values()):
            assert str(title).replace("’", "'").isascii()


def test_organisation_takes_its_own_values() -> None:
    site = Organisation.from_settings({"company": "Example K.K.", "customer_number_pattern": "EX[0-9]{4}"})
    assert site.company == "Example K.K."
    assert site.phone == Organisation().phone


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"fone": "1"}, ("organisation.fone", 'did you mean "phone"?')),
        ({"phone": 120}, ("phone",)),
        ({"phone": " "}, ("phone",)),
        ({"customer_number_pattern": "A["}, ("customer_number_pattern", "A[")),
        ({"customer_number_pattern": "(A+)+[0-9]{8}"}, ("customer_number_pattern", "(A+)+[0-9]{8}", "繰り返し")),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], named: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Organisation.from_settings(settings)
    assert all(name in str(caught.value) for name in named)


def test_catalogue_from_settings() -> None:
    catalogue = Catalogue.from_settings({"wiki": {"title": "Wiki", "url": "https://{subdomain}.example.com/wiki"}})
    assert typed.subdomain("https://acme.example.com", catalogue) == Subdomain("acme", "wiki")
    assert Catalogue.from_settings({}) is DEFAULT_CATALOGUE


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"wiki": "https://x"}, "products.wiki"),
        ({"wiki": {"title": "Wiki"}}, "products.wiki.url"),
        ({"wiki": {"title": "Wiki", "url": "https://example.com/{subdomain}"}}, "wiki"),
        ({"wiki": {"title": "Wiki", "url": "https://{subdomain}.example.com/", "ulr": "x"}}, "products.wiki.ulr"),
    ],
)
def test_wrong_products_are_named(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Catalogue.from_settings(settings)
    assert named in str(caught.value)


# Licensed users


@pytest.mark.parametrize(
    ("text", "users"),
    [
        *(("1", 1), ("５０", 50), (" 1,000 ", 1000), ("１，０００", 1000), ("007", 7), ("①", 1)),
        *(("9999999", 9_999_999), ("1,234,567", 1_234_567), ("25.0", 25), ("1,000.00", 1000)),
    ],
)
def test_licensed_users_are_read(text: str, users: int) -> None:
    assert typed.licensed_users(text) == users


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "0", "-1", "1.5", "1,5", "1,0000", ",100", "1.000", "1e3", "五", "²x", "10000000"),
        *("9" * 5000, "\0", "１\0"),
    ],
)
def test_what_is_no_number_of_users_is_refused_at_its_field(text: str) -> None:
    found = typed.licensed_users(text)
    assert isinstance(found, Refusal)
    assert found.field == "users"


@given(st.text())
def test_licensed_users_never_raise(text: str) -> None:
    found = typed.licensed_users(text)
    assert isinstance(found, Refusal) or 1 <= found <= 9_999_999

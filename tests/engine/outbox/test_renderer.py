"""Mails are rendered anew for each attempt, in the language that was chosen, and hide their link where they must."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from engine.definition import NOBODY, Address, Recipient, SiteAddress
from engine.delivery import Failed, Message
from engine.errors import NobodyLeft
from engine.mime import Mime, compose
from engine.outbox.renderer import NoRecipient, Renderer
from tests.kit.reviews import AUTHOR, REVIEW, Office, Paper, open_office

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)


def rendered(office: Office, title: str, language: str = "") -> Message:
    """The invitation to review a paper of this title."""
    number = office.submit(title)
    with office.engine.store.reading() as unit:
        _, instance = office.engine.sight(unit, number)
        return office.dispatcher.renderer.message(
            REVIEW, REVIEW.effects["invitation"], instance, unit, {}, key="1.1.0.abc", language=language
        )


def test_a_mail_has_the_sites_sender_and_a_message_id_of_the_senders_host(sqlite_office: Office) -> None:
    mail = rendered(sqlite_office, "On locks")
    assert (mail.sender, mail.to, mail.message_id) == (
        "office@example.jp",
        ("author@example.jp",),
        "1.1.0.abc@example.jp",
    )
    assert (mail.subject, mail.language) == ("Please review On locks", "en")


def test_the_language_is_the_effects_or_else_the_recipients(sqlite_office: Office) -> None:
    assert rendered(sqlite_office, "a", "ja").language == "ja"
    assert rendered(sqlite_office, "b").language == "en"


def test_the_link_is_built_from_the_base_url_without_a_double_slash(sqlite_office: Office) -> None:
    sqlite_office.dispatcher.renderer.base_url = "https://example.jp"
    mail = rendered(sqlite_office, "a")
    number = sqlite_office.engine.find("review", "paper:a")[0]
    assert mail.text == f"https://example.jp/r/{sqlite_office.link(number)}?en\n"


def test_names_are_escaped_in_html_and_not_in_text(sqlite_office: Office) -> None:
    mail = rendered(sqlite_office, '<script>alert("1")</script>{{ 7 * 7 }}&')
    assert "<script>" not in mail.html
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;{{ 7 * 7 }}&amp;" in mail.html
    assert mail.subject == 'Please review <script>alert("1")</script>{{ 7 * 7 }}&'


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\x00", "\x0b", "\x85"])
def test_a_line_end_in_a_subject_makes_no_header(sqlite_url: str, end: str) -> None:
    office = open_office(sqlite_url)
    number = office.submit("x")
    Paper.update(title=f"x{end}Bcc: evil@example.jp").execute()
    with office.engine.store.reading() as unit:
        _, instance = office.engine.sight(unit, number)
        mail = office.dispatcher.renderer.message(
            REVIEW, REVIEW.effects["invitation"], instance, unit, {}, key="1.1.0.abc"
        )
    composed = compose(mail, NOW)
    if isinstance(composed, Mime):
        parsed = message_from_bytes(composed.content, policy=policy.default)
        assert parsed["Bcc"] is None
        assert composed.recipients == ("author@example.jp",)
    else:
        assert composed.code == "unsendable"
    office.close()


def test_a_line_end_in_an_address_is_refused() -> None:
    mail = Message("a@b.jp", "office@example.jp", ("x@example.jp\r\nBcc: evil@example.jp",), "s", "t", "h")
    assert isinstance(compose(mail, NOW), Failed)


def test_a_mail_without_a_recipient_or_with_half_a_character_is_refused() -> None:
    sound = Message("a@b.jp", "office@example.jp", ("x@example.jp",), "s", "t", "h")
    assert isinstance(compose(sound, NOW), Mime)
    for wrong in (
        replace(sound, to=()),
        replace(sound, text="half: \ud83d"),
        replace(sound, html="half: \ud83d"),
        replace(sound, message_id="no id"),
        replace(sound, message_id="日本@b.jp"),
    ):
        assert isinstance(compose(wrong, NOW), Failed)


def test_headers_are_ascii_unless_an_address_is_not() -> None:
    mail = Message("a@b.jp", "見本 <office@example.jp>", ("x@example.jp",), "お知らせ", "本文", "<p>本文</p>")
    plain, other = compose(mail, NOW), compose(replace(mail, to=("見本@example.jp",)), NOW)
    assert isinstance(plain, Mime)
    assert isinstance(other, Mime)
    assert plain.content.isascii()
    assert "To: 見本@example.jp\r\n".encode() in other.content


def test_lines_of_blocks_leave_no_gap_and_the_last_line_ends(sqlite_office: Office, tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    for suffix in ("txt", "html"):
        source = "Subject: x\n\n{% if paper %}\n  a\n  {% endif %}\nb\n"
        (tmp_path / "mail" / f"invitation.en.{suffix}").write_text(source)
    number = sqlite_office.submit("a")
    with sqlite_office.engine.store.reading() as unit:
        _, instance = sqlite_office.engine.sight(unit, number)
        workflow = replace(REVIEW, folder=tmp_path)
        mail = sqlite_office.dispatcher.renderer.preview(
            workflow, REVIEW.effects["invitation"], instance, unit, {}, "en"
        )
    assert mail.text == "  a\nb\n"


def test_a_recipient_who_was_removed_on_purpose_is_nobody(sqlite_office: Office) -> None:
    number = sqlite_office.submit("a")
    gone = replace(REVIEW.recipients["reviewer"], address=lambda instance, records: NOBODY)
    workflow = replace(REVIEW, recipients={"reviewer": gone})
    with sqlite_office.engine.store.reading() as unit:
        _, found = sqlite_office.engine.sight(unit, number)
        with pytest.raises(NobodyLeft):
            sqlite_office.dispatcher.renderer.preview(workflow, REVIEW.effects["invitation"], found, unit, {}, "en")


def test_a_recipient_who_is_gone_is_no_recipient(sqlite_office: Office) -> None:
    number = sqlite_office.submit("a")
    Paper.delete().execute()
    with sqlite_office.engine.store.reading() as unit:
        _, instance = sqlite_office.engine.sight(unit, number)
        with pytest.raises(NoRecipient, match="'reviewer' of paper:a"):
            sqlite_office.dispatcher.renderer.preview(REVIEW, REVIEW.effects["invitation"], instance, unit, {}, "en")


def test_a_template_that_asks_for_what_is_not_there_fails_instead_of_sending_a_gap(
    sqlite_office: Office, tmp_path: Path
) -> None:
    (tmp_path / "mail").mkdir()
    for suffix in ("txt", "html"):
        (tmp_path / "mail" / f"invitation.en.{suffix}").write_text("Subject: x\n\n{{ paper.colour }}\n")
    number = sqlite_office.submit("a")
    with sqlite_office.engine.store.reading() as unit:
        _, instance = sqlite_office.engine.sight(unit, number)
        with pytest.raises(UndefinedError, match="colour"):
            sqlite_office.dispatcher.renderer.preview(
                replace(REVIEW, folder=tmp_path), REVIEW.effects["invitation"], instance, unit, {}, "en"
            )


def test_a_preview_shows_an_ellipsis_for_the_token(sqlite_office: Office) -> None:
    number = sqlite_office.submit("a")
    (mail,) = sqlite_office.engine.preview(number, "resend", AUTHOR).mails
    assert mail.text == "https://example.jp/r/…?en\n"
    assert mail.message_id == "preview@example.jp"
    assert 'href="https://example.jp/r/…?en"' in mail.html


def sent_to(office: Office, folder: Path, **changed: Any) -> Message:
    """The invitation to review, with parts of the effect, the recipients or the renderer changed."""
    (folder / "mail").mkdir(exist_ok=True)
    for language in ("ja", "en"):
        for suffix in ("txt", "html"):
            source = "Subject:  Hello {{ site.name }} {{ figures.n }} \n\n\n{{ url }}\n{{ paper.title }}\n"
            (folder / "mail" / f"invitation.{language}.{suffix}").write_text(source)
    number = office.engine.find("review", "paper:a")[0]
    recipients = {**REVIEW.recipients, **changed.pop("recipients", {})}
    workflow = replace(REVIEW, folder=folder, recipients=recipients, link=changed.pop("link_path", REVIEW.link))
    effect = replace(REVIEW.effects["invitation"], **changed)
    site = {"name": "the office", "staff": "staff@example.jp"}
    renderer = Renderer(
        base_url="https://example.jp//",
        sender="The office <office@b.jp>",
        site_facts=site,
        link=lambda instance, role: role,
    )
    with office.engine.store.reading() as unit:
        _, instance = office.engine.sight(unit, number)
        return renderer.message(workflow, effect, instance, unit, {"n": 7}, key="1.1.0.abc")


def to(answer: Any) -> Recipient:
    return Recipient(lambda attempt: "en", lambda instance, records: answer)


def test_the_whole_of_a_mail(sqlite_office: Office, tmp_path: Path) -> None:
    sqlite_office.submit("a")
    body = "https://example.jp/r/holder?en\na\n"
    assert sent_to(sqlite_office, tmp_path) == Message(
        message_id="1.1.0.abc@b.jp",
        sender="The office <office@b.jp>",
        to=("author@example.jp",),
        subject="Hello the office 7",
        text=body,
        html=f"Subject:  Hello the office 7 \n\n\n{body}",
        language="en",
        cc=(),
    )


def test_a_mail_carries_the_link_of_its_role(sqlite_office: Office, tmp_path: Path) -> None:
    sqlite_office.submit("a")
    assert "/r/stop?en\n" in sent_to(sqlite_office, tmp_path, link="stop").text
    assert "/r/holder?en\n" in sent_to(sqlite_office, tmp_path, link="").text
    with pytest.raises(UndefinedError, match="url"):
        sent_to(sqlite_office, tmp_path, link_path="")


def test_the_site_has_addresses_of_its_own(sqlite_office: Office, tmp_path: Path) -> None:
    sqlite_office.submit("a")
    mail = sent_to(sqlite_office, tmp_path, recipients={"reviewer": to(SiteAddress("staff"))})
    assert (mail.to, mail.language) == (("staff@example.jp",), "ja")
    mail = sent_to(sqlite_office, tmp_path, recipients={"reviewer": to(SiteAddress("staff", "en"))})
    assert (mail.to, mail.language) == (("staff@example.jp",), "en")


def test_a_copy_goes_to_another_address_and_never_holds_the_mail_back(sqlite_office: Office, tmp_path: Path) -> None:
    sqlite_office.submit("a")
    for answer, copied in (
        (Address("boss@example.jp"), ("boss@example.jp",)),
        (SiteAddress("staff"), ("staff@example.jp",)),
        (Address("author@example.jp"), ()),
        (NOBODY, ()),
        (None, ()),
    ):
        mail = sent_to(sqlite_office, tmp_path, cc="boss", recipients={"boss": to(answer)})
        assert (mail.to, mail.cc, mail.language) == (("author@example.jp",), copied, "en")


def test_a_mail_to_nobody_says_whose_address_is_missing(sqlite_office: Office, tmp_path: Path) -> None:
    sqlite_office.submit("a")
    with pytest.raises(NoRecipient) as raised:
        sent_to(sqlite_office, tmp_path, recipients={"reviewer": to(None)})
    assert str(raised.value) == "There is no address for 'reviewer' of paper:a any more."

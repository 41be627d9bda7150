"""Reports on mails that came back, as mail servers and providers write them."""

from __future__ import annotations

from datetime import datetime, timedelta

from workflows.business.address_marks import AddressMark


def bounce(
    message_id: str,
    recipient: str = "hanako@mihon.example",
    status: str = "5.1.1",
    words: str = "smtp; 550 5.1.1 User unknown",
    *,
    action: str = "failed",
    final: str = "",
) -> bytes:
    """A report on delivery (RFC 3464), as Postfix writes it, with the headers of the mail alone."""
    return f"""\
From: MAILER-DAEMON@mail.example (Mail Delivery System)
To: site@example.jp
Subject: Undelivered Mail Returned to Sender
Message-ID: <20260401@mail.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B1"

--B1
Content-Type: text/plain

This is the mail system at host mail.example.

--B1
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example
X-Postfix-Queue-ID: 4F

Final-Recipient: rfc822; {final or recipient}
Original-Recipient: rfc822;{recipient}
Action: {action}
Status: {status}
Diagnostic-Code: {words}

--B1
Content-Type: text/rfc822-headers

From: site@example.jp
To: {recipient}
Message-ID: <{message_id}>
Subject: =?utf-8?B?5Lu25ZCN?=

--B1--
""".replace("\n", "\r\n").encode()


def complaint(message_id: str, recipient: str = "hanako@mihon.example", kind: str = "abuse") -> bytes:
    """A complaint (RFC 5965) with the whole mail, as feedback loops send it."""
    return f"""\
From: feedback@provider.example
To: abuse@example.jp
Subject: FW: complaint
Message-ID: <arf@provider.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="B2"

--B2
Content-Type: text/plain

This is an email abuse report.

--B2
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
{f"Original-Rcpt-To: <{recipient}>" if recipient else "Source-IP: 192.0.2.1"}

--B2
Content-Type: message/rfc822

From: site@example.jp
To: somebody
Message-ID: <{message_id}>
Subject: a notice

Text

--B2--
""".replace("\n", "\r\n").encode()


def marked(email: str, now: datetime) -> AddressMark:
    """An address that is marked as undeliverable."""
    mark: AddressMark = AddressMark.create(
        email=email,
        kind="hard_bounce",
        first_at=now,
        last_at=now,
        kept_until=now + timedelta(days=180),
        status="5.1.1",
        words="550 5.1.1 User unknown",
        mail="42.1.0",
        source="plugin:http_mailer",
    )
    return mark

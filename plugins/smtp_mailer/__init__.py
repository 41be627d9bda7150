"""Sends mails through a mail server (SMTP, with STARTTLS or TLS).

Settings under `[plugins.smtp_mailer]` are the fields of `SmtpMailer.Config`; without `url` the mailer is not
registered.
"""

from plugins.smtp_mailer.mailer import SmtpMailer

__all__ = ["SmtpMailer"]

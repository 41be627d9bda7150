"""The demo's member of staff, who exists in a demo only.

The member is set up in the ordinary way: the one-time address is opened and answered. In addition a demo shows openly
what must be secret otherwise: the password, which is in this file, and the current code of an authenticator that its
visitor does not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyotp

from workflows.business.access.staff.authenticator import TOTP_PERIOD, TOTP_PURPOSE
from workflows.business.records import StaffMember

if TYPE_CHECKING:
    from web.assembly.site import Site

EMAIL = "staff@demo.example"
NAME = "デモ 担当"
PASSWORD = "この部屋はデモ専用 3"  # noqa: S105  (public on purpose)


@dataclass(frozen=True, slots=True)
class DemoLogIn:
    """The credentials on the log-in page of a demo. `code` is None until the next 30 seconds, where it was just
    used."""

    email: str
    password: str
    code: str | None


def enrol_demo_staff(site: Site) -> None:
    """Create the demo's member of staff. Idempotent. Raises RuntimeError outside a demo."""
    if not site.settings.demo:
        raise RuntimeError("a member of staff whose password is public belongs to a demo only")
    member = StaffMember.get_or_none(email=EMAIL)
    if member is not None and member.totp_secret:
        return
    invited = site.staff.members.add(EMAIL, NAME) if member is None else site.staff.members.reset(EMAIL)
    opened = site.staff.set_ups.opened(invited.token)
    assert opened is not None
    code = pyotp.TOTP(opened.secret).generate_otp(_step(site) - 1)  # so that the visitor's first one is unused
    done = site.staff.set_ups.finish(invited.token, PASSWORD, PASSWORD, code)
    assert isinstance(done, StaffMember), done


def demo_log_in(site: Site) -> DemoLogIn | None:
    """The demo's credentials; None outside a demo."""
    if not site.settings.demo:
        return None
    member = StaffMember.get_or_none(email=EMAIL, active=1)
    if member is None or not member.totp_secret:
        return None
    unused = max(_step(site), member.totp_step + 1)
    totp = pyotp.TOTP(site.services.vault.open(member.totp_secret, TOTP_PURPOSE))
    return DemoLogIn(EMAIL, PASSWORD, totp.generate_otp(unused) if unused <= _step(site) + 1 else None)


def _step(site: Site) -> int:
    return int(site.clock().timestamp()) // TOTP_PERIOD

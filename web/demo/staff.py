"""The demo's member of staff. Outside of a demo there is nobody of this name, and nothing here answers.

It is set up by the same way as everybody: its one-time address is opened and answered. What a demo does besides is to
say openly what nobody should know: the password, which stands in this file, and the current code of an authenticator
that its visitor does not have.
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
    """What the log-in page of a demo shows. `code` is None until the next 30 seconds, where it was just used."""

    email: str
    password: str
    code: str | None


def enrol_demo_staff(site: Site) -> None:
    """Make the demo's member of staff, unless a start before has done so."""
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
    """How to get in, in a demo; None everywhere else."""
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

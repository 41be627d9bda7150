"""Writes an sdist anew so that the same source gives the same bytes, whoever builds it and when."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path


def settle(sdist: Path, when: int) -> None:
    """Give every member of the .tar.gz the time `when` (seconds since 1970), no owner, and its place by name."""
    settled = sdist.with_suffix(".settled")
    with (
        tarfile.open(sdist) as before,
        gzip.GzipFile(settled, "wb", mtime=when) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as after,
    ):
        for member in sorted(before.getmembers(), key=lambda member: member.name):
            member.mtime = when
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.mode & 0o100 else 0o644
            member.pax_headers = {}
            after.addfile(member, before.extractfile(member) if member.isfile() else None)
    settled.replace(sdist)

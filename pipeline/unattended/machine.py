"""Facts of this machine for a schedule: its time zone, its user, and where the program is installed."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

from pipeline.unattended.schedule import Schedule


def zone_here() -> str:
    """The machine's time zone by name, `UTC` where it has none."""
    named = os.environ.get("TZ", "").lstrip(":")
    if named and "/" in named and not named.startswith("/"):
        return named
    target = str(Path("/etc/localtime").resolve())
    return target.rsplit("/zoneinfo/", maxsplit=1)[-1] if "/zoneinfo/" in target else "UTC"


def user_here() -> str:
    """The user by name, by number where the system knows no name (a container)."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def scheduled(data: Path, plan: Path | None, *, day: str, at: str, zone: str | None, memory: str) -> Schedule:
    """A schedule for this machine: this very installation by absolute path, this user, this zone."""
    beside = Path(sys.executable).with_name("shortlist")
    program = (str(beside),) if beside.is_file() else (sys.executable, "-m", "pipeline")
    user = user_here()
    return Schedule(
        program=program,
        data=data.absolute(),
        plan=plan.absolute() if plan is not None else None,
        day=day,
        at=at,
        zone=zone if zone is not None else zone_here(),
        memory=memory,
        user=None if user == "root" else user,
    )

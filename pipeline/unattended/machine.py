"""Facts about this machine for a schedule: time zone, user, and the path of the program."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

from pipeline.unattended.schedule import Schedule


def zone_here() -> str:
    """The name of the machine's time zone; `UTC` where it has none."""
    named = os.environ.get("TZ", "").lstrip(":")
    if named and "/" in named and not named.startswith("/"):
        return named
    target = str(Path("/etc/localtime").resolve())
    return target.rsplit("/zoneinfo/", maxsplit=1)[-1] if "/zoneinfo/" in target else "UTC"


def user_here() -> str:
    """The user's name, or the number where the system has no name for it (in a container)."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def scheduled(data: Path, plan: Path | None, *, day: str, at: str, zone: str | None, memory: str) -> Schedule:
    """A schedule for this machine: this installation by absolute path, this user and, by default, this time zone."""
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

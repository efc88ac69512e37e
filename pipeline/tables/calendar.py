"""Weeks: which one a dump belongs to, and its as-of day. Never a clock, never a file's time."""

from __future__ import annotations

import datetime as dt
import re

from pipeline.errors import UsageError

_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def week_of(name: str) -> str | None:
    """The ISO week that a folder's name means (`2026-W47`, or any day of it, `2026-11-18`), or None."""
    if _DAY.fullmatch(name):
        try:
            year, week, _ = dt.date.fromisoformat(name).isocalendar()
        except ValueError:
            return None
        return f"{year:04d}-W{week:02d}"
    found = _WEEK.fullmatch(name)
    if not found:
        return None
    try:
        dt.date.fromisocalendar(int(found[1]), int(found[2]), 1)
    except ValueError:
        return None
    return name


def checked_week(name: str) -> str:
    """The week that a person named; raises `UsageError`."""
    week = week_of(name)
    if week is None:
        raise UsageError(f"{name!r} is no week; write an ISO week such as 2026-W47 or a day such as 2026-11-18")
    return week


def checked_day(name: str) -> dt.date:
    """The day that a person named; raises `UsageError`."""
    try:
        return dt.date.fromisoformat(name)
    except ValueError:
        raise UsageError(f"{name!r} is no day; write a day such as 2026-11-18") from None


def sunday_of(week: str) -> dt.date:
    """The as-of day of a week: its Sunday; fees, rates and windows use it."""
    return dt.date.fromisocalendar(int(week[:4]), int(week[6:]), 7)


def next_week(week: str) -> str:
    """The week after one."""
    year, number, _ = (sunday_of(week) + dt.timedelta(days=1)).isocalendar()
    return f"{year:04d}-W{number:02d}"


def day_number(day: dt.date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - dt.date(1970, 1, 1).toordinal()

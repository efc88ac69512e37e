"""Weeks and days: the week of a dump and its as-of day. No clock and no file time is used."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata

from pipeline.errors import UsageError
from pipeline.tables.file_names import without_copy_mark

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


# What uploads and file managers make of a name: `2026-W47 (1)`, `2026-W47 - Copy`, `2026w47`, `week 47 2026`, `20261122`, `2026_11_22`.
_LIKE_WEEK = re.compile(r"([0-9]{4})[ _./-]*(?:w|kw|wk|week|第)[ _-]*([0-9]{1,2})周?", re.IGNORECASE)
_LIKE_WEEK_FIRST = re.compile(r"(?:w|kw|wk|week)[ _-]*([0-9]{1,2})[ _./-]+([0-9]{4})", re.IGNORECASE)
_LIKE_DAY = re.compile(r"([0-9]{4})[ _./-]?([0-9]{2})[ _./-]?([0-9]{2})")


def intended_week(name: str) -> str | None:
    """The ISO week that a folder's name plainly means without being written as `week_of` wants it, or None.

    >>> [intended_week(name) for name in ("2026-w47", "2026W47", "20261122", "2026-W47 (1)", "notes")]
    ['2026-W47', '2026-W47', '2026-W47', '2026-W47', None]
    """
    bare = without_copy_mark(unicodedata.normalize("NFKC", name).strip()).strip(" ._-")
    week = _LIKE_WEEK.fullmatch(bare)
    if week:
        return week_of(f"{week[1]}-W{int(week[2]):02d}")
    week = _LIKE_WEEK_FIRST.fullmatch(bare)
    if week:
        return week_of(f"{week[2]}-W{int(week[1]):02d}")
    day = _LIKE_DAY.fullmatch(bare)
    return week_of("-".join(day.groups())) if day else None


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

"""Days, instants and spans of days from text, one cell at a time."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from pipeline.ingest.cells.numbers import NumberForm, to_decimal

_DAY_WORDS = r"\s*(?:business |working |calendar )?(?:days?|d|天|个工作日|工作日|日)?"
_HOUR_WORDS = r"\s*(?:hours?|hrs?|h|小时)"
_RANGE = re.compile(rf"(\d{{1,4}})(?:\s*(?:-|~|–|—|to|至)\s*(\d{{1,4}}))?(?:({_HOUR_WORDS})|{_DAY_WORDS})", re.IGNORECASE)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?")
_EXCEL_EPOCH = date(1899, 12, 30)
_EXCEL_DAYS = (Decimal(20000), Decimal(80000))  # 1954 to 2119
YEARS = range(1900, 2200)
# Keepa counts minutes: unix minutes less this many (facts: unix seconds = (m + 21564000) * 60).
KEEPA_MINUTES = 21_564_000
_UNIX_EPOCH = date(1970, 1, 1)


def to_date(text: str, formats: tuple[str, ...]) -> date | None:
    """A day in the first declared format that fits: `iso`, `excel` (a serial number), `keepa` (its minutes), or a strptime pattern."""
    text = unicodedata.normalize("NFKC", text)
    for wanted in formats:
        day = _to_date(text, wanted)
        if day and day.year in YEARS:
            return day
    return None


def _to_date(text: str, wanted: str) -> date | None:
    try:
        if wanted == "iso":
            return date.fromisoformat(text) if _ISO_DATE.fullmatch(text) and text.isascii() else None
        if wanted == "excel":
            serial = to_decimal(text, NumberForm(grouping=False))
            fits = serial is not None and _EXCEL_DAYS[0] <= serial <= _EXCEL_DAYS[1]
            return _EXCEL_EPOCH + timedelta(days=int(serial)) if serial is not None and fits else None
        if wanted == "keepa":
            return _UNIX_EPOCH + timedelta(minutes=int(text) + KEEPA_MINUTES) if text.isdecimal() and len(text) < 9 else None
        return datetime.strptime(text, wanted).date()
    except ValueError:
        return None


def to_time(text: str, formats: tuple[str, ...]) -> datetime | None:
    """An instant in UTC without a zone of its own; a day alone is its midnight."""
    text = unicodedata.normalize("NFKC", text)
    day = to_date(text, formats)
    if day:
        return datetime(day.year, day.month, day.day)
    if not _ISO_TIME.fullmatch(text) or not text.isascii():
        return None
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo:
            time = time.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return time.replace(microsecond=0) if time.year in YEARS else None


def to_days(text: str) -> tuple[int, int] | None:
    """`3`, `1-3`, `1-3 days`, `48小时`: fewest and most days; hours are rounded up to days."""
    found = _RANGE.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if not found:
        return None
    low, high = int(found[1]), int(found[2] or found[1])
    if found[3]:
        low, high = -(-low // 24), -(-high // 24)
    return (low, high) if low <= high else None

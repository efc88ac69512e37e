"""JSON: the records of a document or of its lines, each with the place where it begins; and a record's values as cells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pipeline.errors import DumpError

JOINED = "; "
_BLANKS = re.compile(r"[ \t\n\r]*")
_EXPONENTS = range(-30, 31)
# A step in a path that leads into every element of a list.
EVERY = "*"


class Number(str):
    """A number as it stands in the file: not rounded, and told apart from a text."""

    __slots__ = ()


class NotJson(ValueError):
    """What stands at a place is no JSON; `at` counts characters."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.at = at


@dataclass(frozen=True)
class Found:
    """A value, the characters between which it stands, and whether an object in it has a name twice."""

    value: Any
    begin: int
    end: int
    is_doubled: bool


class Decoder:
    """Strict JSON: no NaN, no control signs in texts; numbers stay text."""

    def __init__(self) -> None:
        self._is_doubled = False
        self._json = json.JSONDecoder(object_pairs_hook=self._object, parse_float=Number, parse_int=Number, parse_constant=self._constant)

    def value(self, text: str, begin: int = 0) -> Found:
        """The value that begins after blanks at a place; raises `NotJson`."""
        begin = after_blanks(text, begin)
        self._is_doubled = False
        try:
            value, end = self._json.raw_decode(text, begin)
        except json.JSONDecodeError as error:
            raise NotJson(error.msg, error.pos) from None
        except RecursionError:
            raise NotJson("nested too deep", begin) from None
        except ValueError as error:
            raise NotJson(str(error), begin) from None
        return Found(value, begin, end, self._is_doubled)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        self._is_doubled |= len(made) < len(pairs)
        return made

    @staticmethod
    def _constant(name: str) -> None:
        raise ValueError(f"{name} is no number")


def after_blanks(text: str, at: int) -> int:
    """The first place from `at` on that is not blank."""
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def document_records(text: str, paths: tuple[str, ...], name: str) -> Iterator[Found]:
    """The records of a document: of its list, of the list at the first of `paths` that it holds, or itself.

    Raises
    ------
    DumpError
        It is no JSON, cut off, or goes on behind its end.
    """
    decoder = Decoder()
    try:
        whole = decoder.value(text)
        if after_blanks(text, whole.end) < len(text):
            raise NotJson("more behind its end", whole.end)
        path = next((path for path in paths if any(isinstance(item, list) for item in _targets(whole.value, path.split(".")))), "")
        yield from _records(decoder, text, whole, path.split(".") if path else [])
    except NotJson as error:
        at = len(text[: error.at].encode(errors="replace"))
        what = "cut off" if error.at >= len(text.rstrip()) - 1 else "no JSON"
        raise DumpError(f"{name}: {what} at byte {at:,} ({error}); wait for the upload to finish, or send the file again") from None


def _targets(value: Any, path: list[str]) -> list[Any]:
    if not path:
        return [value]
    if path[0] == EVERY and isinstance(value, list):
        return [found for item in value for found in _targets(item, path[1:])]
    return _targets(value[path[0]], path[1:]) if isinstance(value, dict) and path[0] in value else []


def _records(decoder: Decoder, text: str, found: Found, path: list[str]) -> Iterator[Found]:
    if isinstance(found.value, list) and (not path or path[0] == EVERY):
        for item in _items(decoder, text, found):
            if path:
                yield from _records(decoder, text, item, path[1:])
            else:
                yield item
    elif not path:
        yield found
    elif isinstance(found.value, dict):
        for key, item in _members(decoder, text, found):
            if key == path[0]:
                yield from _records(decoder, text, item, path[1:])


def _items(decoder: Decoder, text: str, found: Found) -> Iterator[Found]:
    at = found.begin + 1
    while at < found.end and text[after_blanks(text, at)] != "]":
        item = decoder.value(text, at)
        yield item
        at = after_blanks(text, item.end) + 1


def _members(decoder: Decoder, text: str, found: Found) -> Iterator[tuple[str, Found]]:
    at = found.begin + 1
    while at < found.end and text[after_blanks(text, at)] != "}":
        key = decoder.value(text, at)
        item = decoder.value(text, after_blanks(text, key.end) + 1)
        yield str(key.value), item
        at = after_blanks(text, item.end) + 1


@lru_cache(maxsize=4096)
def steps_of(path: str) -> tuple[tuple[str, ...], int]:
    """The steps of a path (`stats.current.18`), and of how many numbers each entry of a history is (`csv.18@3`; 0: no history)."""
    plain, _, stride = path.partition("@")
    return tuple(plain.split(".")), int(stride or 0)


def look_up(record: Mapping[str, Any], path: str) -> Any:
    """What a record holds at a path; None where it holds nothing.

    >>> look_up({"a": {"b": [5, {"c": 6}, {"c": 7}]}}, "a.b.*.c"), look_up({"csv": [None, [1, 20, 2, 30]]}, "csv.1@2")
    ([6, 7], 30)
    """
    if path in record:  # a name with a point in it goes before a path
        return record[path]
    steps, stride = steps_of(path)
    value = _at(record, steps)
    return _last_price(value, stride) if stride else value


def _at(value: Any, steps: tuple[str, ...]) -> Any:
    for number, step in enumerate(steps):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step == EVERY:
            found = [_at(item, steps[number + 1 :]) for item in value]
            return [item for item in found if item is not None] or None
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _last_price(history: Any, stride: int) -> Any:
    """The last entry of a history: its price, with shipping where the entries are of three numbers."""
    if not isinstance(history, list) or len(history) < stride:
        return None
    price, shipping = history[1 - stride], history[-1]
    if stride == 2 or str(shipping).startswith("-") or str(price).startswith("-"):
        return price
    try:
        return Number(int(price) + int(shipping))
    except (TypeError, ValueError):
        return price


def cell_text(value: Any, decimal: str) -> str | None:
    """A plain value, or a list of them, as a cell; None where there is an object.

    >>> cell_text(Number("2.5e1"), ","), cell_text([Number("1.5"), "b", None], ","), cell_text({}, ",")
    ('25', '1,5; b', None)
    """
    if value is None:
        return ""
    if isinstance(value, Number):
        return _plain_number(value).replace(".", decimal)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, list):
        return None
    parts = [cell_text(item, decimal) for item in value if item is not None]
    return None if None in parts or any(isinstance(item, list) for item in value) else JOINED.join(part for part in parts if part)


def _plain_number(number: str) -> str:
    if "e" not in number and "E" not in number:
        return number
    exact = Decimal(number)
    return format(exact.normalize(), "f") if exact.adjusted() in _EXPONENTS else number

"""JSON: the records of a document or of its lines, each with the place where it begins; and a record's values as cells."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator, Mapping
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
    """A number as it stands in the file: not rounded, and distinct from a text."""

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
    """The records of a document: of its list, of the lists to which `paths` lead, or itself where they lead to none.

    Only one record is held at a time beside the text.

    Raises
    ------
    DumpError
        It is no JSON, cut off, or goes on behind its end.
    """
    try:
        end, _ = yield from _walk(Decoder(), text, after_blanks(text, 0), [[], *(path.split(".") for path in paths)])
        if after_blanks(text, end) < len(text):
            raise NotJson("more behind its end", end)
    except (NotJson, RecursionError) as error:
        place = error.at if isinstance(error, NotJson) else 0
        at = len(text[:place].encode(errors="replace"))
        what = "cut off" if place >= len(text.rstrip()) - 1 else "no JSON"
        raise DumpError(f"{name}: {what} at byte {at:,} ({error}); wait for the upload to finish, or send the file again") from None


def _walk(decoder: Decoder, text: str, at: int, paths: list[list[str]]) -> Generator[Found, None, tuple[int, int]]:
    """The records below a place, to which what is left of the paths leads; then the place behind it and how many there were."""
    sign = text[at : at + 1]
    is_end = [] in paths
    if sign == "[" and (is_end or any(path[0] == EVERY for path in paths)):
        inner = [path[1:] for path in paths if path and path[0] == EVERY] + ([[]] if is_end else [])
        return (yield from _list(decoder, text, at, inner))
    if sign == "{" and any(paths):
        end, count = yield from _object(decoder, text, at, [path for path in paths if path])
        if count or not is_end:
            return end, count
    found = decoder.value(text, at)
    if is_end and sign in {"{", "["}:
        yield found
    return found.end, int(is_end)


def _list(decoder: Decoder, text: str, at: int, paths: list[list[str]]) -> Generator[Found, None, tuple[int, int]]:
    count, at = 0, after_blanks(text, at + 1)
    if text[at : at + 1] == "]":
        return at + 1, 1
    while True:
        if any(paths):
            at, found = yield from _walk(decoder, text, at, paths)
        else:
            item = decoder.value(text, at)
            yield item
            at, found = item.end, 1
        count += found
        at = _next(text, at, "]")
        if text[at - 1] == "]":
            return at, max(count, 1)
        at = after_blanks(text, at)


def _object(decoder: Decoder, text: str, at: int, paths: list[list[str]]) -> Generator[Found, None, tuple[int, int]]:
    count, at = 0, after_blanks(text, at + 1)
    names: set[str] = set()
    while text[at : at + 1] != "}" or names:
        key = decoder.value(text, at)
        if text[at : at + 1] != '"' or key.value in names:
            raise NotJson("a name that stands twice, or none", at)
        names.add(key.value)
        at = after_blanks(text, key.end)
        if text[at : at + 1] != ":":
            raise NotJson("Expecting ':' delimiter", at)
        at = after_blanks(text, at + 1)
        inner = [path[1:] for path in paths if path[0] == key.value]
        if inner:
            at, found = yield from _walk(decoder, text, at, inner)
            count += found
        else:
            at = decoder.value(text, at).end
        at = _next(text, at, "}")
        if text[at - 1] == "}":
            return at, count
        at = after_blanks(text, at)
    return at + 1, count


def _next(text: str, at: int, closing: str) -> int:
    """The place behind the comma or the closing sign that must stand here."""
    at = after_blanks(text, at)
    if text[at : at + 1] not in {",", closing}:
        raise NotJson("Expecting ',' delimiter", at)
    return at + 1


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

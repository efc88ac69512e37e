"""The schema of a source file (`configs/sources/*.toml`): how an export is recognised and what its columns mean."""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.errors import PlanError
from pipeline.ingest.cells.times import to_date
from pipeline.tables import schemas

Kind = Literal[
    "text", "id", "path", "gtins", "key", "marketplace", "currency", "money", "cost", "count", "quantity", "real", "fraction",
    "flag", "choice", "date", "timestamp", "weight_g", "length_mm", "range_low", "range_high",
]  # fmt: skip
TEXT_KINDS = frozenset({"text", "id", "path", "gtins", "marketplace", "currency", "choice"})
_TYPES: dict[str, Any] = {
    **dict.fromkeys(TEXT_KINDS, schemas.TEXT),
    **dict.fromkeys(("key", "money", "cost", "count", "quantity", "range_low", "range_high"), schemas.WHOLE),
    **dict.fromkeys(("real", "fraction", "weight_g", "length_mm"), schemas.REAL),
    "flag": schemas.FLAG,
    "date": schemas.DATE,
}


_PROBE = date(2003, 2, 1)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Recognise(_Frozen):
    """Headers that must all, at least one, or must not be there; every `required` column counts as one more `all`."""

    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    # What a header means that no column names: nothing, the whole file is refused, or the file is not of this source.
    unknown: Literal["ignore", "refuse", "misfit"] = "ignore"
    # Names that the tool itself writes twice; any other doubled name refuses the file.
    doubled: tuple[str, ...] = ()


class FileForm(_Frozen):
    """How the bytes of such a file are to be read."""

    # All by default: with the wrong one a header is a single name, which no source recognises.
    separators: tuple[Literal[",", ";", "\t", "|"], ...] = (",", ";", "\t", "|")
    encodings: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    # Without it a grouped number is taken only when a decimal part shows what its commas mean (1,299.00 but not 1,299).
    grouping: bool = True
    final_line_end: Literal["required", "optional"] = "required"
    missing: tuple[str, ...] = ()
    missing_text: tuple[str, ...] = ()
    # In a JSON document: the names that lead to its list of records (`data.list`; `*` into every element of a list).
    records: tuple[str, ...] = ()

    @field_validator("encodings")
    @classmethod
    def _known_codec(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not is_codec(name):
                raise ValueError(f"'{name}' is no encoding that can be read by lines")
        return names


class ColumnRule(_Frozen):
    """Which headers fill a field, and how their cells are read."""

    headers: tuple[str, ...] = Field(min_length=1)
    kind: Kind
    coalesce: bool = False  # the first of the headers whose cell is filled, not just the first header that exists
    join: bool = False  # all of them together: gtins, or an id made of several columns (with | between)
    total_of: str = ""  # money for so many of that field (an order line's total): divided by it, rounded
    required: bool = False  # a file without it is not of this source
    filled: bool = False  # a line without a value here is set aside
    personal: bool = False
    missing: tuple[str, ...] = ()
    misfit: Literal["set_aside", "missing"] = "set_aside"
    unit: str = ""  # of a bare number; "stated": a weight or length must say its own
    at_least: bool = False  # `5,000+` is 5,000
    range: Literal["", "low", "high"] = ""  # which end of `0.99 - 3.50` is taken; without it a range does not fit
    zero: Literal["refuse", "missing", "keep"] = "keep"
    round: bool = False
    minor: bool = False  # money in minor units: 2499 is 24.99 dollars, and 2,499 yen
    divisor: int = Field(default=1, ge=1)  # a number is written so many times too large: 45 is 4.5 stars
    hundredths: bool = False  # money was divided by 100 whatever the currency's digits: 24.80 in Japan is 2,480 yen
    upper: bool = False
    separators: tuple[str, ...] = (" > ",)
    formats: tuple[str, ...] = ("iso",)
    choices: dict[str, tuple[str, ...]] = {}
    pattern: str = ""  # a flag: true where the cell matches, false elsewhere

    @field_validator("formats")
    @classmethod
    def _of_one_meaning(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        patterns = [form for form in formats if "%" in form]
        for one, other in ((one, other) for one in patterns for other in patterns if one != other):
            # A day on which a month taken for a day, or for a year, would show.
            if to_date(_PROBE.strftime(one), (other,)) not in (None, _PROBE):
                raise ValueError(f"'{one}' and '{other}' read one cell as two days; a column has one order of day and month")
        return formats

    @field_validator("pattern")
    @classmethod
    def _is_regex(cls, pattern: str) -> str:
        re.compile(pattern)
        return pattern


class NonRecord(_Frozen):
    """A line that is no record: the `empty` fields hold nothing and all its cells together match `only`."""

    kind: str
    empty: tuple[str, ...]
    only: str


class NonProduct(_Frozen):
    """A record that is no product (postage, a fee): every named field's cell matches its pattern."""

    code: str
    when: dict[str, str] = Field(min_length=1)


class HistoryRule(_Frozen):
    """Price history that each record holds beside its own facts: in step arrays, or as its price on a day of the file's path."""

    # Paths of arrays in Keepa's form, best first: `csv.1@2` of minutes and prices, `csv.18@3` with shipping as a third; minor units.
    steps: tuple[str, ...] = ()
    path: str = ""  # a pattern with a group `value` on the file's path in the dump
    format: str = "iso"  # of the day in that path

    @field_validator("steps")
    @classmethod
    def _of_two_or_three(cls, steps: tuple[str, ...]) -> tuple[str, ...]:
        for step in steps:
            if not step.endswith(("@2", "@3")):
                raise ValueError(f"'{step}' does not say how many numbers an entry has; wanted @2 or @3 behind it")
        return steps

    @field_validator("path")
    @classmethod
    def _has_value(cls, pattern: str) -> str:
        if pattern and "value" not in re.compile(pattern).groupindex:
            raise ValueError(f"'{pattern}' has no group named value")
        return pattern


class Source(_Frozen):
    """One kind of export; with `refused` or `left_out`, a kind that is recognised and gives no table."""

    name: str
    title: str
    table: str = ""
    refused: str = ""  # the sentence that such a file is refused with
    left_out: str = ""  # why such a file is skipped; its lines are counted as non-records
    exported_at: str = ""  # a pattern with a group `value` on the names of the header
    recognise: Recognise = Recognise()
    file: FileForm = FileForm()
    constants: dict[str, str] = {}
    path: dict[str, str] = {}  # field -> "file_stem", or a pattern with a group `value` on the file's path in the dump
    currency_from: Literal["row", "marketplace"] = "row"
    # Money cells may name the currency ("-409"): cells that do not are in the one currency that the file names.
    one_currency: bool = False
    personal_headers: tuple[str, ...] = ()
    non_records: tuple[NonRecord, ...] = ()
    non_products: tuple[NonProduct, ...] = ()
    columns: dict[str, ColumnRule] = {}
    history: HistoryRule | None = None

    @model_validator(mode="after")
    def _fields_exist(self) -> Source:
        if self.refused or self.left_out:
            if self.table or self.columns or not (self.recognise.all or self.recognise.any):
                raise ValueError("a source that is refused or left out has a title and [recognise], and neither table nor columns")
            return self
        if self.table not in schemas.DUMP_TABLES:
            raise ValueError(f"'{self.table}' is no table; known: {', '.join(schemas.DUMP_TABLES)}")
        if not self.columns:
            raise ValueError("no [columns]; name the header of each field")
        types = {column.name: column.type for column in schemas.DUMP_TABLES[self.table]}
        named = [*self.columns, *self.constants, *self.path]
        for field in named:
            if target(self.table, field) is None:
                raise ValueError(f"'{field}' is no column of {self.table}{nearest(field, _natural(self.table))}")
        for field, rule in self.columns.items():
            if rule.total_of and self.columns.get(rule.total_of, rule).kind not in {"count", "quantity"}:
                raise ValueError(f"column '{field}' is a total of '{rule.total_of}', which is no count here")
            wanted = types[str(target(self.table, field))]
            if rule.kind != "timestamp" and wanted != _TYPES[rule.kind]:
                raise ValueError(f"column '{field}' holds {wanted}, which the kind '{rule.kind}' does not give")
        for rule_ in self.non_products:
            for field, pattern in rule_.when.items():
                re.compile(pattern)
                if field not in self.columns:
                    raise ValueError(f"non-product '{rule_.code}' looks at '{field}', which is no column here")
        for non_record in self.non_records:
            re.compile(non_record.only)
        if self.history and (self.table != "candidates" or "price" not in self.columns):
            raise ValueError("[history] stands beside candidates with a price")
        return self


def is_codec(name: str) -> bool:
    """Whether Python knows an encoding, and its ASCII is plain ASCII, so that lines can be found before decoding."""
    try:
        return "a,\n".encode(name) == b"a,\n" and isinstance(b"a".decode(name), str)
    except (LookupError, UnicodeError, ValueError):
        return False


def target(table: str, field: str) -> str | None:
    """The table's column that a field fills (`price` -> `price_cents`), or None where there is none."""
    names = {column.name for column in schemas.DUMP_TABLES[table]} - {column.name for column in schemas.ORIGIN}
    if field == "customer_id":
        field = "customer_key"
    return next((name for name in (field, f"{field}_cents", f"{field}_e4") if name in names), None)


def nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
    """`; did you mean 'x'?`, or nothing where no known word is near."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean '{found[0]}'?" if found else ""


def load_sources(folder: Path) -> tuple[Source, ...]:
    """Read every `*.toml` of a folder, in the order of their names.

    Raises
    ------
    PlanError
        A file is no TOML, holds an unknown key (the nearest known one is named) or a value out of its range.
    """
    sources = tuple(_load(path) for path in sorted(folder.glob("*.toml")))
    if not sources:
        raise PlanError(f"{folder}: no source file (*.toml) there")
    return sources


def _load(path: Path) -> Source:
    return _parsed(path, path.read_bytes())


@functools.lru_cache(maxsize=256)
def _parsed(path: Path, raw: bytes) -> Source:
    """The source that a file's bytes describe; cached, since several parts of one run need it."""
    try:
        content = tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: {error}") from error
    if "name" in content:
        raise PlanError(f"{path}: unknown key 'name'; a source is named for its file")
    try:
        return Source.model_validate({"name": path.stem, **content})
    except ValidationError as error:
        raise PlanError(f"{path}: {_first_fault(error)}") from error
    except re.error as error:
        raise PlanError(f"{path}: '{error.pattern!r}' is no pattern: {error}") from error


def _first_fault(error: ValidationError) -> str:
    # A misspelt key is both unknown and missing: the unknown one is the more useful message.
    fault = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    *place, key = [str(step) for step in fault["loc"]] or [""]
    where = f" in [{'.'.join(place)}]" if place else ""
    if fault["type"] == "extra_forbidden":
        return f"unknown key '{key}'{where}{nearest(key, _known_keys(fault['loc'][:-1]))}"
    return f"{key}{where}: {fault['msg']}" if key else fault["msg"].removeprefix("Value error, ")


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    """The keys that the table at a place of a source file may hold."""
    shape: Any = Source
    for step in place:
        if isinstance(shape, type) and issubclass(shape, BaseModel):
            shape = shape.model_fields[str(step)].annotation
        elif get_origin(shape) in {dict, Mapping}:
            shape = get_args(shape)[1]
        elif get_origin(shape) in {tuple, Union, UnionType}:
            shape = get_args(shape)[0]
    return list(shape.model_fields) if isinstance(shape, type) and issubclass(shape, BaseModel) else []


def _natural(table: str) -> list[str]:
    return [column.name.removesuffix("_cents").removesuffix("_e4") for column in schemas.DUMP_TABLES[table]]

"""The candidates of a bucket as one typed value: columns that stages read from and add to, each converted to an array once.

A stage declares with `@stage` which columns it reads and which it adds. `Columns.run` gives the stage a view of the declared columns only,
and refuses any other result than the declared columns, so a declaration that is not true fails at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import pandas as pd

from pipeline.tables import frames

Result = TypeVar("Result")
Converted = Any  # an array, or an array and the mask of the known


@runtime_checkable
class HasFrame(Protocol):
    """A stage's result that holds more than its columns."""

    frame: pd.DataFrame


class StageColumns:
    """What a stage reads (`optional` only where it is there) and what it adds."""

    def __init__(self, reads: Iterable[str], adds: Iterable[str], optional: Iterable[str] = ()) -> None:
        self.reads, self.adds, self.optional = frozenset(reads), frozenset(adds), frozenset(optional)


def stage(reads: str, adds: str, optional: str = "") -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Declare the columns of a stage, names between blanks. The function itself is not wrapped; its first argument is the table.

    >>> @stage(reads="price_cents", adds="is_cheap")
    ... def cheap(table: Columns) -> pd.DataFrame:
    ...     return pd.DataFrame({"is_cheap": table["price_cents"] < 500})
    >>> table = Columns(pd.DataFrame({"price_cents": [499, 500], "title": ["a", "b"]}))
    >>> table.run(cheap)["is_cheap"].tolist()
    [True, False]
    >>> @stage(reads="price_cents", adds="length")
    ... def odd(table: Columns) -> pd.DataFrame:
    ...     return pd.DataFrame({"length": table["title"].str.len()})
    >>> table.run(odd)
    Traceback (most recent call last):
    KeyError: "stage odd reads 'title', which it does not declare"
    """

    def declare(function: Callable[..., Result]) -> Callable[..., Result]:
        function.columns = StageColumns(reads.split(), adds.split(), optional.split())  # type: ignore[attr-defined]
        return function

    return declare


def columns_of(function: Callable[..., Any]) -> StageColumns:
    """The declaration of a stage; raises `AttributeError` for a function without one."""
    declared: StageColumns = function.columns  # type: ignore[attr-defined]
    return declared


def _read_only(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written: the array is shared by every stage, and may be the column itself."""
    view = array.view()
    view.flags.writeable = False
    return view


class Columns:
    """Columns of n candidates by name, all on one index; conversions are kept until a column is replaced.

    Reads like a data frame (`table["title"]`, `table[["a", "b"]]`, `len`, `index`, `"a" in table`), and the functions of `tables.frames`
    (`whole`, `real`, `days`, `text`, `flag`) take it wherever they take a data frame.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._series: dict[str, pd.Series] = {str(name): frame[name] for name in frame.columns}
        self._converted: dict[tuple[str, str], Converted] = {}
        self.index = frame.index

    def __len__(self) -> int:
        return len(self.index)

    def __contains__(self, name: object) -> bool:
        return name in self._series

    def __getitem__(self, name: Any) -> Any:
        return self._series[name] if isinstance(name, str) else self.select(name)

    @property
    def columns(self) -> list[str]:
        """Names in their order."""
        return list(self._series)

    def select(self, names: Iterable[str]) -> pd.DataFrame:
        """Some of the columns as a data frame."""
        return pd.DataFrame({name: self[name] for name in names}, index=self.index, copy=False)

    def to_frame(self) -> pd.DataFrame:
        """All columns as a data frame."""
        return self.select(self._series)

    def converted(self, kind: str, name: str, convert: Callable[[pd.Series], Converted]) -> Converted:
        """A column as `convert` makes it, made once; the arrays are read only."""
        key = (kind, name)
        if key not in self._converted:
            made = convert(self[name])
            self._converted[key] = tuple(map(_read_only, made)) if isinstance(made, tuple) else _read_only(made)
        return self._converted[key]

    def add(self, more: pd.DataFrame) -> None:
        """Add columns; one that is there already is replaced and moves to the end."""
        for name in more.columns:
            self._series.pop(name, None)
            for kind in frames.KINDS:
                self._converted.pop((kind, name), None)
            self._series[name] = more[name]

    def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run a stage on its declared columns, add what it gives, and hand its result back.

        Raises
        ------
        KeyError
            The stage reads a column that it does not declare.
        AssertionError
            It gives other columns than it declares, or other rows.
        """
        declared = columns_of(function)
        result = function(_View(self, function.__name__, declared.reads | declared.optional), *arguments)
        added = result.frame if isinstance(result, HasFrame) else result
        if not isinstance(added, pd.DataFrame) or set(added.columns) != declared.adds or len(added) != len(self):
            odd = sorted(set(getattr(added, "columns", ())) ^ declared.adds)
            raise AssertionError(f"stage {function.__name__} gives columns that differ from its declaration, or other rows: {odd}")
        self.add(added)
        return result


class _View(Columns):
    """The columns that one stage may read; conversions are shared with the whole table."""

    def __init__(self, whole: Columns, stage_name: str, allowed: frozenset[str]) -> None:
        self._whole, self._stage_name, self._allowed = whole, stage_name, allowed
        self.index = whole.index
        self._series = {name: whole._series[name] for name in whole._series if name in allowed}
        self._converted = whole._converted

    def __contains__(self, name: object) -> bool:
        self._check(name)
        return super().__contains__(name)

    def __getitem__(self, name: Any) -> Any:
        if isinstance(name, str):
            self._check(name)
        return super().__getitem__(name)

    def converted(self, kind: str, name: str, convert: Callable[[pd.Series], Converted]) -> Converted:
        """A declared column as `convert` makes it."""
        self._check(name)  # an earlier stage may have converted the column, so the look-up alone would not notice
        return super().converted(kind, name, convert)

    def _check(self, name: object) -> None:
        if name not in self._allowed:
            raise KeyError(f"stage {self._stage_name} reads {name!r}, which it does not declare")


def as_columns(table: Columns | pd.DataFrame) -> Columns:
    """The table as `Columns`."""
    return table if isinstance(table, Columns) else Columns(table)

"""Typed columns, the file's constants and the lineage of each row, put together in the schema of their table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.tables import schemas


@dataclass(frozen=True)
class TableForm:
    """What all rows of a file have in common: schema of their table, name of source and file, and constants (column -> text)."""

    schema: pa.Schema
    source: str
    file: str
    constants: Mapping[str, str]

    def add_common(self, columns: Mapping[str, pa.Array], line: np.ndarray, byte_offset: np.ndarray) -> dict[str, pa.Array]:
        """The columns with lineage and constants beside them.

        Parameters
        ----------
        columns : arrays of n rows.
        line, byte_offset : int64, shape (n,); the line of the file from 1, and the byte at which it begins.
        """
        rows = len(line)
        lineage = {
            "source": _repeated(self.source, rows),
            "file": _repeated(self.file, rows),
            "line": pa.array(line, pa.int64()),
            "byte_offset": pa.array(byte_offset, pa.int64()),
        }
        constants = {name: pa.repeat(pa.scalar(value), rows).cast(self.schema.field(name).type) for name, value in self.constants.items()}
        return {**columns, **lineage, **constants}

    def to_table(self, columns: Mapping[str, pa.Array], used: np.ndarray) -> pa.Table:
        """The rows that `used` (bool, shape (n,)) marks, in the order of the schema; a column that is not there is null."""
        arrays = [columns.get(entry.name, pa.nulls(used.size, entry.type)) for entry in self.schema]
        arrays = [_cast(array, entry.type) for array, entry in zip(arrays, self.schema, strict=True)]
        table = pa.Table.from_arrays(arrays, names=self.schema.names)
        return table if used.all() else table.filter(pa.array(used))


def _repeated(text: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), pa.array([text]))


def _cast(array: pa.Array, type_: pa.DataType) -> pa.Array:
    return array if array.type in (type_, schemas.CODED) else array.cast(type_)

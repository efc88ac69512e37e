"""Columns of Arrow out of numbers and texts, without `pa.array`: that loads pandas, which takes a third of a second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def column(values: np.ndarray, type_: pa.DataType, is_known: np.ndarray | None = None) -> pa.Array:
    """Numbers as a column, null where they are not known."""
    bits = None if is_known is None or is_known.all() else pa.py_buffer(np.packbits(is_known, bitorder="little"))
    return pa.Array.from_buffers(type_, len(values), [bits, pa.py_buffer(np.ascontiguousarray(values))])


def texts(words: Sequence[str]) -> pa.Array:
    """Texts as a column."""
    encoded = [word.encode() for word in words]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(words), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))

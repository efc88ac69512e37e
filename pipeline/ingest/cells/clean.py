"""Columns of text from a file: trimmed, missing tokens made null, kept as distinct values where they repeat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# First bytes of the blanks beyond ASCII: U+0085, U+00A0 (C2), U+1680 (E1), U+2000.. (E2), U+3000 (E3).
_EDGE = np.zeros(256, bool)
_EDGE[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 0xC2, 0xE1, 0xE2, 0xE3]] = True
# A last byte that may end such a blank: any continuation byte.
_EDGE_END = _EDGE.copy()
_EDGE_END[0x80:0xC0] = True


@dataclass(frozen=True)
class Cells:
    """One column: its values, and the index of each row's value among them (None: there is one value for each row)."""

    values: pa.Array
    index: pa.Array | None = None

    def spread(self, array: pa.Array) -> pa.Array:
        """An array with an entry for each value, as one with an entry for each row."""
        return array if self.index is None else array.take(self.index)

    def coded(self, array: pa.Array) -> pa.Array:
        """The same, dictionary-encoded."""
        if self.index is None:
            return array.dictionary_encode()
        index = self.index
        if array.null_count:
            index = pa.array(index.to_numpy(), mask=array.is_null().to_numpy(zero_copy_only=False)[index.to_numpy()])
            array = pc.fill_null(array, "")  # distinct values with a null among them cannot be put together with others
        return pa.DictionaryArray.from_arrays(index, array)

    def spread_mask(self, mask: np.ndarray) -> np.ndarray:
        """The same for a numpy array."""
        return mask if self.index is None else mask[self.index.to_numpy()]

    def distinct(self) -> Cells:
        """The same column with every value once."""
        if self.index is not None:
            return self
        return _coded(self.values.dictionary_encode())

    def rows(self) -> pa.Array:
        """The text of every row."""
        return self.spread(self.values)


def column_cells(column: pa.ChunkedArray) -> Cells:
    """A column of a parsed table."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # combine_chunks of no chunk, or of more than 2 GB of text
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    return _coded(array) if isinstance(array, pa.DictionaryArray) else Cells(array)


def _coded(coded: pa.DictionaryArray) -> Cells:
    if not coded.indices.null_count:
        return Cells(coded.dictionary, coded.indices)
    # A null row needs a distinct value of its own to point to.
    values = pa.concat_arrays([coded.dictionary, pa.nulls(1, coded.dictionary.type)])
    return Cells(values, pc.fill_null(coded.indices, len(coded.dictionary)))


def raw_parts(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (n + 1) and bytes of an array of text, without a copy."""
    _, offsets, data = array.buffers()
    if offsets is None or len(array) == 0:
        return np.zeros(len(array) + 1, np.int32), np.zeros(0, np.uint8)
    places = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    return places, np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)


def raw_bytes(array: pa.Array) -> np.ndarray:
    """The bytes of all cells, one after another; a null cell may have some too."""
    offsets, data = raw_parts(array)
    return data[int(offsets[0]) : int(offsets[-1])]


def trim(array: pa.Array) -> pa.Array:
    """Remove outer whitespace of every script; looks at the edge bytes first, since few files have any."""
    offsets, data = raw_parts(array)
    lengths = np.diff(offsets)
    begins, ends = offsets[:-1][lengths > 0], offsets[1:][lengths > 0] - 1
    if not (_EDGE[data[begins]].any() or _EDGE_END[data[ends]].any()):
        return array
    return pc.utf8_trim_whitespace(array)


def drop_missing(array: pa.Array, tokens: tuple[str, ...]) -> pa.Array:
    """Empty cells, and cells that hold one of the tokens, as null."""
    filled = np.diff(raw_parts(array)[0]) > 0
    if not tokens and array.null_count == filled.size - np.count_nonzero(filled):
        return array
    if tokens:
        filled &= ~pc.fill_null(pc.is_in(array, value_set=pa.array(list(tokens), pa.string())), False).to_numpy(zero_copy_only=False)
    if array.null_count:
        filled &= array.is_valid().to_numpy(zero_copy_only=False)
    if filled.all():
        return array
    _, offset_buffer, data_buffer = array.buffers()
    if offset_buffer is None or array.offset:
        return pc.if_else(pa.array(filled), array, pa.scalar(None, pa.string()))
    valid = pa.py_buffer(np.packbits(filled, bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.string(), len(array), [valid, offset_buffer, data_buffer])


def clean(cells: Cells, tokens: tuple[str, ...]) -> Cells:
    """A column trimmed, with its missing cells (empty, or one of the tokens) null."""
    return Cells(drop_missing(trim(cells.values), tokens), cells.index)


def matches(array: pa.Array, pattern: str) -> np.ndarray:
    """Where a pattern matches; null counts as an empty text."""
    return pc.match_substring_regex(pc.fill_null(array, ""), pattern).to_numpy(zero_copy_only=False)

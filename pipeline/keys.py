"""A product id as one 64-bit number: exact for up to ten letters, digits and signs (every ASIN), a hash for anything else.

Each of up to ten bytes 0x21..0x5F becomes six bits (1..63, 0 after the end), so a short id fits 60 bits and can be told back from its
number. Other ids (longer, or with small letters) take bit 63 and a 63-bit hash, and their text is kept beside. The number is then
multiplied by an odd constant modulo 2^64: that can be undone, so it still tells products apart exactly, and it spreads them evenly. Tables
of prices are sorted by it, and the b-th of n buckets is the b-th range of it, whatever n is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

PACKED_BYTES = 10
PAD = 16  # bytes that must stand behind the last id of a buffer, so that eight can be loaded at any place
HASH_BITS = 32
# 2^64 divided by the golden ratio, made odd (Knuth, The Art of Computer Programming 3, 6.4); its inverse modulo 2^64.
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_GATHER = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
_WIDE = np.uint64(1 << 63)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_TAIL = np.uint64(0xFFFF)
_TOPS = np.uint64(0x8080808080808080)
_BLANKS = np.uint64(0x2020202020202020)
_FROM_BLANK = np.uint64(0x5F5F5F5F5F5F5F5F)  # brings 0x21 to the top bit
_JOINS = tuple(
    (np.uint64(low), np.uint64(low << size), np.uint64(size - used))
    for low, size, used in ((0x003F003F003F003F, 8, 6), (0x00000FFF00000FFF, 16, 12), (0x0000000000FFFFFF, 32, 24))
)
# Keeps the first n bytes of a number that holds text, first byte on top.
_KEEP = np.array([((1 << 64) - 1) << (64 - 8 * n) & ((1 << 64) - 1) for n in range(9)], np.uint64)


def loader(buffer: np.ndarray) -> np.ndarray:
    """A view of a byte buffer that gives the eight bytes at any place as one little-endian number."""
    return np.ndarray((max(len(buffer) - 7, 0),), "<u8", buffer, strides=(1,))


def pack(eight: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keys of the ids at places of a buffer, and which of them are exact.

    Parameters
    ----------
    eight : `loader` of the buffer, `PAD` bytes longer than its text.
    starts, lengths : place and size of each id in bytes, int64 of shape (n,).

    Returns
    -------
    (uint64 keys, bool) of shape (n,)
        A key that is not exact means nothing: such an id is for `wide_key`.
    """
    front = eight[starts].byteswap()
    back = eight[starts + 2].byteswap() & _TAIL  # of bytes 2..9 its last two: bytes 8 and 9 of the id
    fits = lengths == PACKED_BYTES
    keep: np.ndarray | np.uint64 = _ALL
    tail_keep: np.ndarray | np.uint64 = _TAIL
    if not fits.all():
        fits = (lengths > 0) & (lengths <= PACKED_BYTES)
        size = np.where(fits, lengths, 0)
        keep = _KEEP[np.minimum(size, 8)]
        tail_keep = _KEEP[np.maximum(size - 8, 0)] >> np.uint64(48)
        front, back = front & keep, back & tail_keep
    fits = fits & (_wrong(front, keep) | _wrong(back, tail_keep) == 0)
    # Neighbours join: eight times 6 bits in 8, four times 12 in 16, two times 24 in 32, 48 in 64.
    bits = front - (_BLANKS & keep)
    for low, high, shift in _JOINS:
        bits = ((bits & high) >> shift) | (bits & low)
    tail = back - (_BLANKS & tail_keep)
    bits = (bits << np.uint64(12)) | ((tail >> np.uint64(2)) & np.uint64(0xFC0)) | (tail & np.uint64(0x3F))
    return bits * _SPREAD, fits


def _wrong(text: np.ndarray, keep: np.ndarray | np.uint64) -> np.ndarray:
    """Zero where every kept byte lies in 0x21..0x5F; sums cannot run over a byte unless its own top bit is set, which counts as wrong."""
    not_above = (text + _FROM_BLANK) ^ keep
    return (text | (text + _BLANKS) | not_above) & _TOPS


def pack_texts(ids: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, dict[int, str]]:
    """Keys of a column of ids without null (uint64), and the text of those that are wide."""
    ids = ids if ids.type == pa.string() else ids.cast(pa.string())  # offsets of 32 bits are read below
    array = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    if isinstance(array, pa.ChunkedArray):  # combine_chunks of no chunk, or of more than 2 GB of text
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], pa.string())
    if not len(array):
        return np.zeros(0, np.uint64), {}
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    text = (
        np.frombuffer(array.buffers()[2], np.uint8)[offsets[0] : offsets[-1]] if array.buffers()[2] is not None else np.zeros(0, np.uint8)
    )
    buffer = np.concatenate([text, np.zeros(PAD, np.uint8)])
    keys, exact = pack(loader(buffer), offsets[:-1] - offsets[0], np.diff(offsets))
    wide: dict[int, str] = {}
    rest = np.flatnonzero(~exact)
    coded = array.take(pa.array(rest)).dictionary_encode()
    for name in coded.dictionary.to_pylist():
        if wide.setdefault(wide_key(name), name) != name:
            raise AssertionError(f"two product ids share the key {wide_key(name):x}")
    keys[rest] = np.array(list(wide), np.uint64)[coded.indices.to_numpy()]
    return keys, wide


def wide_key(name: str) -> int:
    """The key of an id that does not pack: a hash that is the same on every machine."""
    told = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") | 1 << 63
    return told * int(_SPREAD) & (1 << 64) - 1


def unpack(keys: np.ndarray, wide: Mapping[int, str]) -> pa.Array:
    """The ids of keys, as text."""
    bits = keys * _GATHER
    letters = np.empty((len(keys), PACKED_BYTES), np.uint8)
    for place in range(PACKED_BYTES):
        six = (bits >> np.uint64(6 * (PACKED_BYTES - 1 - place))).astype(np.uint8) & 0x3F
        letters[:, place] = np.where(six, six + 0x20, 0)
    sizes = (letters != 0).sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    names = pa.StringArray.from_buffers(len(keys), pa.py_buffer(offsets), pa.py_buffer(letters[letters != 0]))
    is_wide = bits >= _WIDE
    if not is_wide.any():
        return names
    told = names.to_pylist()
    for row in np.flatnonzero(is_wide).tolist():
        told[row] = wide[int(keys[row])]
    return pa.array(told, pa.string())


def key_hash(keys: np.ndarray) -> np.ndarray:
    """The top 32 bits of keys (int64): what orders the ledger and makes the buckets."""
    return (keys >> np.uint64(64 - HASH_BITS)).astype(np.int64)


def bucket_of(keys: np.ndarray, buckets: int) -> np.ndarray:
    """Bucket of each key (int64): bucket b of n is the b-th range of the hash."""
    return (key_hash(keys) * buckets) >> HASH_BITS


def bucket_bounds(bucket: int, buckets: int) -> tuple[int, int]:
    """The first key of a bucket and the first key behind it."""
    low, high = (-((-b << HASH_BITS) // buckets) << (64 - HASH_BITS) for b in (bucket, bucket + 1))
    return low, high


def between(keys: np.ndarray, bucket: int, buckets: int) -> slice:
    """Where the keys of a bucket stand in ascending keys."""
    low, high = bucket_bounds(bucket, buckets)
    begin = int(np.searchsorted(keys, np.uint64(low)))
    return slice(begin, len(keys) if high >= 1 << 64 else int(np.searchsorted(keys, np.uint64(high))))

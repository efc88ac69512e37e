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
_SPREAD_12, _SPREAD_36 = (np.uint64((0x9E3779B97F4A7C15 << shift) & ((1 << 64) - 1)) for shift in (12, 36))
_WIDE = np.uint64(1 << 63)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_TAIL = np.uint64(0xFFFF)
_BLANKS = np.uint64(0x2020202020202020)
_SIGN_BITS = np.uint64(0xC0C0C0C0C0C0C0C0)  # clear in every byte that is 0..63
_TO_TOP = np.uint64(0x7F7F7F7F7F7F7F7F)  # brings 1 to the top bit
_TOPS = np.uint64(0x8080808080808080)
_SIX, _TWELVE = np.uint64(0x003F003F003F003F), np.uint64(0x00000FFF00000FFF)
# Keeps the first n bytes of a number that holds text, first byte lowest.
_KEEP = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)


def loader(buffer: np.ndarray) -> np.ndarray:
    """A view of a byte buffer that gives the eight bytes at any place as one little-endian number."""
    return np.ndarray((max(len(buffer) - 7, 0),), "<u8", buffer, strides=(1,))


def pack(front: np.ndarray, back: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keys of ids, and which of them are exact.

    Parameters
    ----------
    front, back : the eight bytes from the begin of each id and the eight behind them, first byte lowest (uint64 of shape (n,)); what
        stands behind an id does not matter.
    lengths : size of each id in bytes, int64 of shape (n,).

    Returns
    -------
    (uint64 keys, bool) of shape (n,)
        A key that is not exact means nothing: such an id is for `wide_key`.
    """
    fits = lengths == PACKED_BYTES
    keep: np.ndarray | np.uint64 = _ALL
    tail_keep: np.ndarray | np.uint64 = _TAIL
    if not fits.all():
        fits = (lengths > 0) & (lengths <= PACKED_BYTES)
        size = np.where(fits, lengths, 0)
        keep, tail_keep = _KEEP[np.minimum(size, 8)], _KEEP[np.maximum(size - 8, 0)]
        front = front & keep
    # Bytes 0..7 and 8..9, each as 1..63 in six bits.
    bits, tail = front - (_BLANKS & keep), (back & tail_keep) - (_BLANKS & tail_keep)
    fits = fits & ((_wrong(bits, keep) | _wrong(tail, tail_keep)) & _SIGN_BITS == 0)
    # Neighbours join: eight times 6 bits in 8, four times 12 in 16, two times 24 in 32; the first letters come to stand highest.
    bits = ((bits & _SIX) << np.uint64(6)) | ((bits >> np.uint64(8)) & _SIX)
    bits = ((bits & _TWELVE) << np.uint64(12)) | ((bits >> np.uint64(16)) & _TWELVE)
    tail = ((tail & np.uint64(0x3F)) << np.uint64(6)) | (tail >> np.uint64(8))
    # (low 24 bits << 36 | high 24 << 12 | tail) x _SPREAD modulo 2^64, where what a shift leaves above 2^64 is gone by itself.
    return bits * _SPREAD_36 + (bits >> np.uint64(32)) * _SPREAD_12 + tail * _SPREAD, fits


def _wrong(bits: np.ndarray, keep: np.ndarray | np.uint64) -> np.ndarray:
    """No sign bit (0xC0) in any byte exactly where every kept byte is 1..63, that is, where its letter lies in 0x21..0x5F.

    A byte of 64 and more shows by its own bits; 0 is brought to 0x7F, which the xor makes 0xFF. Borrows of the subtraction before and
    carries of this sum begin in bytes that show themselves.
    """
    return bits | ((bits + (_TO_TOP & keep)) ^ (_TOPS & keep))


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
    eight, starts = loader(buffer), offsets[:-1] - offsets[0]
    keys, exact = pack(eight[starts], eight[starts + 8], np.diff(offsets))
    wide: dict[int, str] = {}
    rest = np.flatnonzero(~exact)
    if not len(rest):
        return keys, wide
    coded = array.take(pa.array(rest)).dictionary_encode()
    for name in coded.dictionary.to_pylist():
        if wide.setdefault(wide_key(name), name) != name:
            raise AssertionError(f"two product ids share the key {wide_key(name):x}")
    keys[rest] = np.array(list(wide), np.uint64)[coded.indices.to_numpy()]
    return keys, wide


def wide_key(name: str) -> int:
    """The key of an id that does not pack: a hash that is the same on every machine."""
    reported = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") | 1 << 63
    return reported * int(_SPREAD) & (1 << 64) - 1


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
    reported = names.to_pylist()
    for row in np.flatnonzero(is_wide).tolist():
        reported[row] = wide[int(keys[row])]
    return pa.array(reported, pa.string())


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

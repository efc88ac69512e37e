"""A file's text as a stream of bytes, unpacked from a .gz, .zst or .zip; the hash is of the file itself, not of the text."""

from __future__ import annotations

import abc
import hashlib
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from pipeline.errors import DumpError
from pipeline.ingest.containers.zips import Member, only_member

# Limits of the decoded bytes: in total, and as a ratio to the packed bytes read so far. Price tables shrink to a fifth or a twentieth,
# a line repeated many times to a thousandth. The first megabytes are exempt, for a small file of equal lines.
DECODED_LIMIT = 8 << 30
RATIO_LIMIT = 200
_FREE = 4 << 20
_PIECE = 1 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_REFUSED = {
    b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar", b"PK\x07\x08": "a split zip",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Office file, or one with a password",
}  # fmt: skip
MAGIC_BYTES = 8
ENDINGS = (".gz", ".zst", ".zip")


class Digest:
    """SHA-256 of the bytes that it is given, computed on a thread beside the parser."""

    def __enter__(self) -> Digest:
        self._digest = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None
        self.size = 0
        return self

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self._last:
            self._last.result()
        self._last = self._thread.submit(self._digest.update, chunk)
        self.size += len(chunk)

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=True)

    def hexdigest(self) -> str:
        """The checksum of all bytes; call it only after the `with` block."""
        return self._digest.hexdigest()


class Text:
    """The text of a file: `read(n)` returns at most n bytes, none at its end. At its end the container has been verified."""

    def __init__(self, tap: _HashedFile, name: str) -> None:
        self._tap, self._name = tap, name

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; raises `DumpError` where the container is damaged, cut off or too large."""
        return self._tap.read(size)

    def skip(self, size: int) -> None:
        """Skip the next `size` bytes."""
        self._tap.seek(size)


class _HashedFile:
    """A file read front to back, each piece given to the digest; it has the methods of a file that pyarrow needs."""

    closed = False

    def __init__(self, stream: BinaryIO, digest: Digest | None) -> None:
        self._stream, self._digest = stream, digest
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        if self._digest and piece:
            self._digest.update(piece)
        self.taken += len(piece)
        return piece

    def seek(self, size: int) -> None:
        """Skip bytes that are not hashed."""
        self._stream.seek(size, os.SEEK_CUR)

    def drain(self) -> None:
        while self.read(_PIECE):
            pass

    def close(self) -> None: ...

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False


class _Packed(Text):
    """A container's text, its bytes counted; a subclass decodes them."""

    def __init__(self, tap: _HashedFile, name: str) -> None:
        super().__init__(tap, name)
        self._given = 0
        self._is_over = False

    def read(self, size: int) -> bytes:
        if self._is_over:
            return b""
        parts: list[bytes] = []
        while size > 0:
            piece = self._decode(min(size, _PIECE))
            if not piece:
                self._is_over = True
                self._tap.drain()
                break
            self._count(piece)
            parts.append(piece)
            size -= len(piece)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        while size and (piece := self.read(min(size, _PIECE))):
            size -= len(piece)

    def _count(self, piece: bytes) -> None:
        if not self._given and container_of(piece[:MAGIC_BYTES]):
            raise DumpError(f"{self._name}: a container inside a container; send the inner file itself")
        self._given += len(piece)
        if self._given > DECODED_LIMIT:
            raise too_large(self._name)
        if self._given > _FREE + RATIO_LIMIT * self._tap.taken:
            raise too_dense(self._name)

    @abc.abstractmethod
    def _decode(self, size: int) -> bytes:
        """The next decoded bytes, at most `size`; none at the end."""

    def _damaged(self, why: str) -> DumpError:
        return DumpError(f"{self._name}: {why}; wait for the upload to finish, or send the file again")


class _Zstd(_Packed):
    def __init__(self, tap: _HashedFile, name: str) -> None:
        super().__init__(tap, name)
        self._stream = pa.CompressedInputStream(pa.PythonFile(tap, mode="r"), "zstd")

    def _decode(self, size: int) -> bytes:
        try:
            return bytes(self._stream.read(size))
        except OSError as error:
            raise self._damaged(f"damaged or cut off inside its zstd ({error})") from None


class _Deflate(_Packed):
    """gzip (a header and a checksum of its own), or one member of a zip (`member` says where it lies and what it holds)."""

    def __init__(self, tap: _HashedFile, name: str, member: Member | None) -> None:
        super().__init__(tap, name)
        self._member = member
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS if member else 16 + zlib.MAX_WBITS)
        self._left = member.packed if member else None
        self._crc = 0
        if member:
            skip = member.start
            while skip and (piece := tap.read(min(skip, _PIECE))):
                skip -= len(piece)

    def _packed(self, size: int) -> bytes:
        size = size if self._left is None else min(size, self._left)
        piece = self._tap.read(size) if size else b""
        if self._left is not None:
            self._left -= len(piece)
        return piece

    def _decode(self, size: int) -> bytes:
        if self._member and not self._member.is_deflated:
            piece = self._packed(size)
            self._crc = zlib.crc32(piece, self._crc)
            return piece if piece else self._ended()
        piece = b""
        while not piece and not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._packed(_PIECE)
            try:
                piece = self._inflate.decompress(packed, size)
            except zlib.error as error:
                raise self._damaged(f"damaged inside ({error})") from None
            if not packed and not piece and not self._inflate.eof:
                raise self._damaged("cut off, its compressed bytes have no end")
        self._crc = zlib.crc32(piece, self._crc) if self._member else 0
        return piece if piece else self._ended()

    def _ended(self) -> bytes:
        if not self._member:
            rest = self._inflate.unused_data
            while not rest.strip(b"\0") and (more := self._tap.read(_PIECE)):
                rest = more
            if rest.strip(b"\0"):
                raise DumpError(f"{self._name}: more than one member, or bytes after its end; send one file in each .gz")
        elif (self._given, self._crc) != (self._member.size, self._member.crc):
            raise self._damaged("damaged, its text is not that of its checksum")
        return b""


@contextmanager
def open_text(path: Path, name: str, digest: Digest | None = None) -> Iterator[Text]:
    """Open a file for its text, from front to back.

    Parameters
    ----------
    path : the file; read only.
    name : its name in errors.
    digest : is given every byte of the file itself, the last one when the text has been read to its end.

    Raises
    ------
    DumpError
        The container is of a kind that is not read, holds anything but one plain member, or is over a limit.
    """
    with path.open("rb") as stream:
        kind = container_of(stream.read(MAGIC_BYTES))
        if kind not in {"", "gzip", "zstd", "zip"}:
            raise DumpError(f"{name}: {kind}, which is not read; send it as .csv or .xlsx, or packed as .gz, .zst or .zip")
        member = only_member(stream, name) if kind == "zip" else None
        if member and member.size > DECODED_LIMIT:
            raise too_large(name)
        if member and member.size > _FREE + RATIO_LIMIT * member.packed:
            raise too_dense(name)
        stream.seek(0)
        tap = _HashedFile(stream, digest)
        if kind == "zstd":
            yield _Zstd(tap, name)
        elif kind:
            yield _Deflate(tap, name, member)
        else:
            yield Text(tap, name)


def container_of(magic: bytes) -> str:
    """The kind of a file by its first bytes: `gzip`, `zstd`, `zip`, the name of another container, or an empty text for plain text."""
    if magic.startswith(_GZIP):
        return "gzip"
    if magic.startswith(_ZSTD):
        return "zstd"
    if magic.startswith(_ZIP):
        return "zip"
    found = next((kind for start, kind in _REFUSED.items() if magic.startswith(start)), "")
    return "" if found == "bzip2" and not (magic[3:4].isdigit() and magic[4:8] in {b"1AY&", b"\x17rE8"}) else found


def plain_name(name: str) -> str:
    """A file's name without its container's ending, `acme.csv.gz` -> `acme.csv`."""
    low = name.lower()
    return next((name[: -len(ending)] for ending in ENDINGS if low.endswith(ending)), name)


def too_large(name: str) -> DumpError:
    """The refusal of a container that holds more than the limit."""
    return DumpError(f"{name}: more than {DECODED_LIMIT >> 30} GB inside; send it in parts")


def too_dense(name: str) -> DumpError:
    """The refusal of a container whose text is suspiciously larger than itself."""
    return DumpError(f"{name}: its text is more than {RATIO_LIMIT} times its size; no table shrinks so far; send it as plain text")

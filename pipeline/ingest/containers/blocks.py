"""The bytes of a file as UTF-8 blocks that end at line ends, hashed as they are read."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.errors import DumpError
from pipeline.ingest.containers.archives import Digest, Text, open_text

BLOCK_BYTES = 16 << 20
LONGEST_LINE = 64 << 20
JOINED_LINES = 20  # physical lines that one record may span
# UTF-16 is decoded in one piece: a spreadsheet writes it, and no spreadsheet holds more than 1,048,576 rows.
LONGEST_UTF16 = 1 << 30
_LOOK_BACK = 8  # lines
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True)
class Opening:
    """The first bytes of a file: byte order mark, the encoding that it states (None: not known yet), whether lines end in CR alone."""

    mark: bytes
    encoding: str | None
    is_cr: bool
    head: bytes


@dataclass(frozen=True)
class Start:
    """Where a file's records begin: after `skip` bytes and `lines` physical lines, in that encoding."""

    opening: Opening
    encoding: str
    skip: int
    lines: int


@dataclass(frozen=True)
class Block:
    """Whole lines as UTF-8; `ends` are the positions of their LF, `starts` the byte of the file at which each line begins.

    `broken` marks the lines that do not decode; `is_open` says that the last line had no end; `faults` are lines in which the container
    found an error (line from 0 -> kind).
    """

    data: bytes
    first_line: int
    starts: np.ndarray
    ends: np.ndarray
    broken: np.ndarray | None
    is_open: bool
    faults: Mapping[int, str] = field(default_factory=dict)

    def line(self, number: int) -> bytes:
        """The bytes of one line, counted from 0, without its end."""
        begin = int(self.ends[number - 1]) + 1 if number else 0
        return self.data[begin : int(self.ends[number])]

    def cut(self, line: int) -> tuple[Block, Block]:
        """The lines before one, and the rest."""
        at = int(self.ends[line - 1]) + 1 if line else 0
        broken = (None, None) if self.broken is None else (self.broken[:line], self.broken[line:])
        faults = (
            {place: kind for place, kind in self.faults.items() if place < line},
            {place - line: kind for place, kind in self.faults.items() if place >= line},
        )
        front = Block(self.data[:at], self.first_line, self.starts[:line], self.ends[:line], broken[0], False, faults[0])
        ends = self.ends[line:] - at
        rest = Block(self.data[at:], self.first_line + line, self.starts[line:], ends, broken[1], self.is_open, faults[1])
        return front, rest

    def before(self, later: Block) -> Block:
        """This block's lines and those of the block that follows it, as one."""
        marks = [block.broken if block.broken is not None else np.zeros(block.ends.size, bool) for block in (self, later)]
        broken = None if self.broken is None and later.broken is None else np.concatenate(marks)
        ends = np.concatenate([self.ends, later.ends + len(self.data)])
        starts = np.concatenate([self.starts, later.starts])
        faults = {**self.faults, **{place + self.ends.size: kind for place, kind in later.faults.items()}}
        return Block(self.data + later.data, self.first_line, starts, ends, broken, later.is_open, faults)


def open_file(path: Path, name: str = "", head_bytes: int = 1 << 20) -> Opening:
    """Look at the first bytes of a file's text; a file without any LF, but with CR, has its lines end in CR.

    Raises
    ------
    DumpError
        It lies in a container that cannot be opened (`containers.open_text`).
    """
    with open_text(path, name or path.name) as stream:
        head = stream.read(head_bytes)
        mark, encoding = next(((m, e) for m, e in _MARKS if head.startswith(m)), (b"", None))
        is_cr = encoding in {None, "utf-8"} and b"\r" in head and b"\n" not in head
        while is_cr and (more := stream.read(BLOCK_BYTES)):
            is_cr = b"\n" not in more
    return Opening(mark, encoding, is_cr, head[len(mark) :])


def decodes(path: Path, encoding: str, opening: Opening, name: str = "") -> bool:
    """Whether the whole file is of that encoding, block by block."""
    try:
        for raw, _, _ in _raw_blocks(path, opening, None, len(opening.mark), name or path.name):
            if encoding != "utf-8":
                raw.decode(encoding)
            elif not _is_utf8(raw):
                return False
    except UnicodeDecodeError:
        return False
    return True


class BlockReader:
    """Reads one file once, from front to back.

    After `blocks()` has ended, `sha256` and `size` describe the very bytes that were parsed; `size` grows until then.
    """

    def __init__(self, path: Path, name: str, start: Start) -> None:
        self.path, self.name, self.opening, self.encoding = path, name, start.opening, start.encoding
        self.skip, self.header_lines = start.skip, start.lines
        self.sha256, self.size = "", 0

    def blocks(self) -> Iterator[Block]:
        """Every line after the header, in blocks.

        Raises
        ------
        DumpError
            The file changed while it was read, or a line is longer than 64 MB.
        """
        line = self.header_lines + 1
        for raw, offset, is_open in self.pieces():
            block = self.block(raw, offset, line, is_open)
            line += block.ends.size
            yield block

    def pieces(self) -> Iterator[tuple[bytes, int, bool]]:
        """The same lines as bytes of the file's encoding, with the place where they begin and whether the last one had no end."""
        before = self.path.stat()
        with Digest() as digest:
            for piece in self._pieces(digest):
                self.size = digest.size
                yield piece
        after = self.path.stat()
        self.sha256, self.size = digest.hexdigest(), digest.size
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or digest.size != after.st_size:
            raise DumpError(f"{self.name}: changed while it was read; wait for the upload to finish, then run again")

    def _pieces(self, digest: Digest) -> Iterator[tuple[bytes, int, bool]]:
        if self.encoding.startswith("utf-16"):
            return self._utf16_pieces(digest)
        return _raw_blocks(self.path, self.opening, digest, self.skip, self.name)

    def _utf16_pieces(self, digest: Digest) -> Iterator[tuple[bytes, int, bool]]:
        with open_text(self.path, self.name, digest) as stream:
            body = b"".join(_read(stream, self.skip, LONGEST_UTF16))
        if len(body) >= LONGEST_UTF16:
            raise DumpError(f"{self.name}: UTF-16 of more than 1 GB; save it as UTF-8")
        if len(body) % 2:
            raise DumpError(f"{self.name}: cut off inside a UTF-16 character; wait for the upload to finish, then run again")
        units = np.frombuffer(body, dtype="<u2" if self.encoding.endswith("le") else ">u2")
        ends = np.flatnonzero(units == 10) + 1
        last = 0
        while last < units.size:
            cut = int(np.searchsorted(ends, last + BLOCK_BYTES // 2, side="right"))
            stop = int(ends[cut - 1]) if cut and ends[cut - 1] > last else int(ends[cut]) if cut < ends.size else units.size
            yield body[2 * last : 2 * stop], self.skip + 2 * last, stop == units.size and (not ends.size or ends[-1] != stop)
            last = stop

    def block(self, raw: bytes, offset: int, line: int, is_open: bool) -> Block:
        """Such bytes as a block whose first line has that number."""
        broken: np.ndarray | None = None
        if self.encoding == "utf-8":
            data, ends = raw, line_ends(raw)
            starts = offset + _starts(ends)
            if not _is_utf8(raw):
                broken = np.array([not _is_utf8(part) for part in raw.split(b"\n")[:-1]])
            return Block(data, line, starts, ends, broken, is_open)
        newline = "\n".encode(self.encoding)
        if is_open:
            raw = raw if raw.endswith(newline) else raw + newline
        starts = offset + (_wide_starts(raw, self.encoding) if len(newline) == 2 else _starts(line_ends(raw)))
        try:
            data = raw.decode(self.encoding).encode()
        except UnicodeError:
            data, broken = _decode_lines(raw, starts - offset, self.encoding)
        return Block(data, line, starts, line_ends(data), broken, is_open)


def line_ends(data: bytes) -> np.ndarray:
    """Where the line feeds stand."""
    return np.flatnonzero(np.frombuffer(data, np.uint8) == 10)


def _starts(ends: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1]) if ends.size else np.zeros(0, np.int64)


def _wide_starts(raw: bytes, encoding: str) -> np.ndarray:
    units = np.frombuffer(raw, dtype="<u2" if encoding.endswith("le") else ">u2")
    return 2 * _starts(np.flatnonzero(units == 10))


def _decode_lines(raw: bytes, starts: np.ndarray, encoding: str) -> tuple[bytes, np.ndarray]:
    bounds = [*starts.tolist(), len(raw)]
    parts, broken = [], np.zeros(starts.size, bool)
    for i, (begin, end) in enumerate(pairwise(bounds)):
        try:
            parts.append(raw[begin:end].decode(encoding).encode())
        except UnicodeError:
            broken[i] = True
            text = raw[begin:end].decode(encoding, errors="replace").replace("\n", " ")
            parts.append(text.encode("utf-8", errors="replace") + b"\n")
    return b"".join(parts), broken


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    one = pa.Array.from_buffers(
        pa.large_string(), 1, [None, pa.py_buffer(np.array([0, len(data)], np.int64).tobytes()), pa.py_buffer(data)]
    )
    try:
        one.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _raw_blocks(path: Path, opening: Opening, digest: Digest | None, skip: int, name: str) -> Iterator[tuple[bytes, int, bool]]:
    """Bytes cut at line ends, the place where they begin, and whether the last line had no end (one is put there)."""
    with open_text(path, name, digest) as stream:
        rest: list[bytes] = []
        waiting, offset = 0, skip
        for piece in _read(stream, skip):
            chunk = piece.replace(b"\r", b"\n") if opening.is_cr else piece
            cut = _record_end(chunk)
            if not cut:
                rest.append(chunk)
                waiting += len(chunk)
                if waiting > LONGEST_LINE:
                    raise DumpError(f"{name}: a line of more than 64 MB; is this a text file with one record a line?")
                continue
            data = b"".join([*rest, memoryview(chunk)[:cut]])
            rest, waiting = [chunk[cut:]], len(chunk) - cut
            yield data, offset, False
            offset += len(data)
        tail = b"".join(rest)
        if tail:
            is_open = not tail.endswith(b"\n")
            yield tail + b"\n" * is_open, offset, is_open


def _record_end(chunk: bytes) -> int:
    """The position after the last line end at which all quotes are likely closed. A wrong guess costs time, never a record."""
    last = cut = chunk.rfind(b"\n") + 1
    opened = chunk.count(b'"', 0, cut) % 2
    for _ in range(_LOOK_BACK):
        if not opened or cut <= 0:
            return cut if cut > 0 else last
        before = chunk.rfind(b"\n", 0, cut - 1) + 1
        opened = (opened + chunk.count(b'"', before, cut)) % 2
        cut = before
    return cut if not opened and cut else last


def _read(stream: Text, skip: int, limit: int | None = None) -> Iterator[bytes]:
    """The text after its first `skip` bytes, in pieces; no more of them once `limit` bytes were given."""
    given = 0
    while (limit is None or given < limit) and (chunk := stream.read(BLOCK_BYTES)):
        if skip:
            skip, chunk = max(0, skip - len(chunk)), chunk[skip:]
        if chunk:
            given += len(chunk)
            yield chunk


def read_lines(path: Path, offsets: Sequence[int], encoding: str = "utf-8", is_cr: bool = False, limit: int = 1 << 16) -> list[str]:
    """The text from each place of a file (in ascending order) to the next line end, at most `limit` bytes; one pass over the file.

    What cannot be decoded is replaced.
    """
    lines, held, at = [], b"", 0
    with open_text(path, path.name) as stream:
        for offset in offsets:
            stream.skip(max(0, offset - at - len(held)))
            held, at = held[offset - at :], offset
            held += stream.read(limit - len(held))
            lines.append(held.decode(encoding, errors="replace").split("\r" if is_cr else "\n", 1)[0])
    return lines

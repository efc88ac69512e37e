"""The records of a JSON document or of JSON lines, laid out as rows of cells for the strict reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import DumpError
from pipeline.ingest.containers.archives import Digest, open_text
from pipeline.ingest.containers.blocks import Block, BlockReader, Opening, Start
from pipeline.ingest.containers.dump_files import DumpFile
from pipeline.ingest.containers.json_documents import Decoder, Found, NotJson, cell_text, document_records, look_up
from pipeline.ingest.containers.record_blocks import Record, RecordReader, to_blocks

# A document's text is held in memory, up to four bytes a sign; lines are read one after another.
LARGEST_DOCUMENT = 128 << 20
# Characters quoted from text that is no record.
_SHOWN = 200


@dataclass(frozen=True)
class JsonFile:
    """A JSON file before its records are laid out; `paths` lead to the list of records in a document."""

    file: DumpFile
    opening: Opening
    paths: tuple[str, ...]
    is_lines: bool

    def records(self) -> Iterator[Found]:
        """Every value that may be a record; lines that are no JSON are left out here."""
        if not self.is_lines:
            yield from document_records(self.text(), self.paths, self.file.name)
            return
        decoder = Decoder()
        for block in self.line_reader().blocks():
            for _, text in _texts(block):
                try:
                    if text.strip():
                        yield decoder.value(text)
                except NotJson:
                    continue

    def text(self, digest: Digest | None = None) -> str:
        """The whole document."""
        with open_text(self.file.path, self.file.name, digest) as stream:
            stream_head = stream.read(LARGEST_DOCUMENT + 1)
            if len(stream_head) > LARGEST_DOCUMENT:
                raise DumpError(f"{self.file.name}: a JSON document of more than {LARGEST_DOCUMENT >> 20} MB; send it as JSON lines")
            rest = stream.read(1)  # at its end the container has proved itself whole
        try:
            return (stream_head + rest)[len(self.opening.mark) :].decode()
        except UnicodeDecodeError as error:
            raise DumpError(f"{self.file.name}: no UTF-8 at byte {error.start:,}; send JSON as UTF-8") from None

    def line_reader(self) -> BlockReader:
        """The lines of JSON lines, each of which may be a record."""
        return BlockReader(self.file.path, self.file.name, Start(self.opening, "utf-8", len(self.opening.mark), 0))


@dataclass(frozen=True)
class JsonTable:
    """The records of a JSON file as rows with the columns `names`; numbers are written with `decimal`."""

    json_file: JsonFile
    names: tuple[str, ...]
    decimal: str

    def reader(self, used: frozenset[int]) -> RecordReader:
        """Reads all records; only a column in `used` can be at fault."""
        layout = _Layout(self.names, self.decimal, used)
        return _LinesReader(self.json_file, layout) if self.json_file.is_lines else _DocumentReader(self.json_file, layout)


@dataclass(frozen=True)
class _Layout:
    """The columns into which a record is laid out; only those that are read can be at fault."""

    names: tuple[str, ...]
    decimal: str
    used: frozenset[int]

    def record(self, line: int, offset: int, value: Any, is_doubled: bool) -> Record:
        if not isinstance(value, Mapping) or is_doubled:
            return _refused(line, offset, value)
        cells, faults = [], {}
        for place, name in enumerate(self.names):
            text = cell_text(look_up(value, name), self.decimal)
            cells.append("" if text is None else text)
            if text is None and place in self.used:
                faults[place] = "json"
        # An object without any text is still a record: it may not become a blank line.
        return Record(line, offset, cells, faults) if any(cells) else _refused(line, offset, value)


def _refused(line: int, offset: int, value: Any) -> Record:
    return Record(line, offset, [str(value)[:_SHOWN] or "?"], {-1: "json"})


class _DocumentReader:
    """Records of a document: a line each, counted from 1, where each begins."""

    def __init__(self, json_file: JsonFile, layout: _Layout) -> None:
        self._json, self._layout = json_file, layout
        self.sha256, self.size = "", 0

    def blocks(self) -> Iterator[Block]:
        """All records in blocks."""
        path = self._json.file.path
        before = path.stat()
        with Digest() as digest:
            text = self._json.text(digest)
        after = path.stat()
        self.sha256, self.size = digest.hexdigest(), digest.size
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or digest.size != after.st_size:
            raise DumpError(f"{self._json.file.name}: changed while it was read; wait for the upload to finish, then run again")
        yield from to_blocks(self._records(text), 1, len(self._layout.names))

    def _records(self, text: str) -> Iterator[Record]:
        offset, at = len(self._json.opening.mark), 0
        for line, found in enumerate(document_records(text, self._json.paths, self._json.file.name), 1):
            offset, at = offset + len(text[at : found.begin].encode(errors="replace")), found.begin
            yield self._layout.record(line, offset, found.value, found.is_doubled)


class _LinesReader:
    """Records of JSON lines: what is no object costs its own line."""

    def __init__(self, json_file: JsonFile, layout: _Layout) -> None:
        self._json, self._layout = json_file, layout
        self._reader = json_file.line_reader()

    @property
    def sha256(self) -> str:
        return self._reader.sha256

    @property
    def size(self) -> int:
        return self._reader.size

    def blocks(self) -> Iterator[Block]:
        """All lines in blocks; an empty line stays one."""
        decoder = Decoder()
        for block in self._reader.blocks():
            yield from to_blocks(self._records(block, decoder), block.first_line, len(self._layout.names))

    def _records(self, block: Block, decoder: Decoder) -> Iterator[Record]:
        for line, text in _texts(block):
            number, offset = block.first_line + line, int(block.starts[line])
            if block.broken is not None and block.broken[line]:
                yield Record(number, offset, [text[:_SHOWN]], {-1: "encoding"})
                continue
            if not text.strip():
                yield Record(number, offset, [])
                continue
            try:
                found = decoder.value(text)
                if text[found.end :].strip():
                    raise NotJson("more behind its end", found.end)
                yield self._layout.record(number, offset, found.value, found.is_doubled)
            except NotJson:
                if block.is_open and line == block.ends.size - 1:
                    raise DumpError(
                        f"{self._json.file.name}: cut off, the last line has no end; wait for the upload to finish, then run again"
                    ) from None
                yield Record(number, offset, [text[:_SHOWN]], {-1: "json"})


def _texts(block: Block) -> Iterator[tuple[int, str]]:
    begin = 0
    for line, end in enumerate(block.ends.tolist()):
        yield line, block.data[begin:end].decode(errors="replace")
        begin = end + 1

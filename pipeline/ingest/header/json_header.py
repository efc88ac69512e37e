"""The names in a JSON file, the source that knows them, and its records for the strict reader."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import DumpError
from pipeline.ingest.containers.archives import Digest, open_text, plain_name
from pipeline.ingest.containers.blocks import Block, BlockReader, Opening, Start, open_file
from pipeline.ingest.containers.dump_files import DumpFile
from pipeline.ingest.containers.json_documents import Decoder, Found, NotJson, cell_text, document_records, look_up
from pipeline.ingest.containers.record_blocks import SEPARATOR, Record, RecordReader, to_blocks
from pipeline.ingest.header.header import Header
from pipeline.ingest.sources.context import ReadContext
from pipeline.ingest.sources.recognition import recognise
from pipeline.ingest.sources.schema import Source

# A document's text is held in memory, up to four bytes a sign; lines are read one after another.
LARGEST_DOCUMENT = 128 << 20
_NAMES = 1_000
# Characters quoted from text that is no record.
_SHOWN = 200
_LINES, _DOCUMENTS = (".jsonl", ".ndjson"), (".json",)
_LOOKS_LIKE = re.compile(rb'\s*(?:\[\s*)?\{\s*["}]|\s*\[\s*\]')
_SECOND_LINE = re.compile(rb"\s*\{[^\r\n]*\}[ \t]*[\r\n]+\s*\{")


def is_json(file: DumpFile) -> bool:
    """Whether a file is JSON by its first signs, or is called so."""
    if plain_name(file.name).lower().endswith(_LINES + _DOCUMENTS):
        return True
    return bool(_LOOKS_LIKE.match(open_file(file.path, file.name, 1 << 16).head))


def read_json_header(file: DumpFile, sources: Sequence[Source], context: ReadContext) -> Header:
    """Read the names of all records of a JSON file, and find the source that knows them.

    Raises
    ------
    DumpError
        The file is no JSON in UTF-8, holds no object, too many names, or is of no known source.
    """
    opening = open_file(file.path, file.name, 1 << 16)
    if not opening.head.strip():
        raise DumpError(f"{file.name}: empty; send the file again")
    if opening.encoding not in {None, "utf-8"}:
        raise DumpError(f"{file.name}: JSON in {opening.encoding}; send it as UTF-8")
    paths = tuple(dict.fromkeys(path for source in sources for path in source.file.records))
    is_lines = plain_name(file.name).lower().endswith(_LINES) or bool(_SECOND_LINE.match(opening.head))
    json_file = _JsonFile(file, opening, paths, is_lines)
    names = _all_names(json_file, sources)
    source = recognise(names, sources, file.name).source
    own = set(_paths([source]))
    kept = [name for name in names if name in own or not _is_path(name)]
    match = recognise(kept, [source], file.name)
    decimal = context.declared.get(source.name, {}).get("decimal", source.file.decimal)

    def reader(used: frozenset[int]) -> RecordReader:
        return json_file.reader(_Flat(tuple(kept), decimal, used))

    return Header(match, Opening(b"", "utf-8", False, b""), "utf-8", SEPARATOR, 0, 0, 0, True, 0, reader)


def json_names(file: DumpFile) -> tuple[str, ...]:
    """The names in a JSON file's first records, for a file that no source knows."""
    opening = open_file(file.path, file.name, 1 << 16)
    is_lines = plain_name(file.name).lower().endswith(_LINES) or bool(_SECOND_LINE.match(opening.head))
    return tuple(_all_names(_JsonFile(file, opening, (), is_lines), ()))


def _paths(sources: Iterable[Source]) -> list[str]:
    """Every path into a record that a source's columns or its history name."""
    named = [header for source in sources for rule in source.columns.values() for header in rule.headers]
    named += [path.partition("@")[0] for source in sources if source.history for path in source.history.steps]
    named += [path for source in sources for path in (*source.recognise.all, *source.recognise.any)]
    return list(dict.fromkeys(name for name in named if _is_path(name)))


def _is_path(name: str) -> bool:
    return " " not in name and ("." in name.strip(".") or "@" in name)


def _all_names(json_file: _JsonFile, sources: Sequence[Source]) -> list[str]:
    names: dict[str, None] = {}
    waiting = _paths(sources)
    for found in json_file.records():
        if not isinstance(found.value, dict):
            continue
        names.update(dict.fromkeys(found.value))
        if len(names) > _NAMES:
            raise DumpError(f"{json_file.file.name}: more than {_NAMES:,} different names in its records; is this a table?")
        here = [path for path in waiting if look_up(found.value, path) is not None]
        names.update(dict.fromkeys(here))
        waiting = [path for path in waiting if path not in names] if here else waiting
    if not names:
        raise DumpError(f"{json_file.file.name}: no object in it; wanted a list of objects, one for each product")
    return list(names)


@dataclass(frozen=True)
class _Flat:
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
        # An object without a word is a record all the same: it may not become a blank line.
        return Record(line, offset, cells, faults) if any(cells) else _refused(line, offset, value)


def _refused(line: int, offset: int, value: Any) -> Record:
    return Record(line, offset, [str(value)[:_SHOWN] or "?"], {-1: "json"})


@dataclass(frozen=True)
class _JsonFile:
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
        return BlockReader(self.file.path, self.file.name, Start(self.opening, "utf-8", len(self.opening.mark), 0))

    def reader(self, flat: _Flat) -> RecordReader:
        return _LinesReader(self, flat) if self.is_lines else _DocumentReader(self, flat)


class _DocumentReader:
    """Records of a document: a line each, counted from 1, where each begins."""

    def __init__(self, json_file: _JsonFile, flat: _Flat) -> None:
        self._json, self._flat = json_file, flat
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
        yield from to_blocks(self._records(text), 1, len(self._flat.names))

    def _records(self, text: str) -> Iterator[Record]:
        offset, at = len(self._json.opening.mark), 0
        for line, found in enumerate(document_records(text, self._json.paths, self._json.file.name), 1):
            offset, at = offset + len(text[at : found.begin].encode(errors="replace")), found.begin
            yield self._flat.record(line, offset, found.value, found.is_doubled)


class _LinesReader:
    """Records of JSON lines: what is no object costs its own line."""

    def __init__(self, json_file: _JsonFile, flat: _Flat) -> None:
        self._json, self._flat = json_file, flat
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
            yield from to_blocks(self._records(block, decoder), block.first_line, len(self._flat.names))

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
                yield self._flat.record(number, offset, found.value, found.is_doubled)
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

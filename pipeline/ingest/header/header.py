"""The header of a text file: its encoding, its separator, its names, and the source that recognises them."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.errors import DumpError, PlanError
from pipeline.ingest.containers.blocks import JOINED_LINES, Opening, decodes, open_file
from pipeline.ingest.containers.dump_files import DumpFile
from pipeline.ingest.containers.record_blocks import RecordTable
from pipeline.ingest.sources.context import ReadContext
from pipeline.ingest.sources.recognition import Match, is_known_name, recognise
from pipeline.ingest.sources.schema import Source, is_codec

_HEAD_BYTES = 1 << 20
# Lines of one cell (titles) that a table may have above its header.
MOST_TITLES = 20


@dataclass(frozen=True)
class Header:
    """A file whose header is understood: `skip` bytes hold it (and the byte order mark), over `lines` physical lines.

    `blank` lines and `preamble` lines of one cell (a title) stand before it; `is_whole` says that a line end follows it. `records`
    are those of a workbook or a JSON file, None for text; `notes` are for `check`.
    """

    match: Match
    opening: Opening
    encoding: str
    separator: str
    skip: int
    lines: int
    blank: int
    is_whole: bool
    preamble: int = 0
    records: RecordTable | None = None
    notes: tuple[str, ...] = ()

    @property
    def before_records(self) -> int:
        """Physical lines up to the first record."""
        return self.lines + self.blank + self.preamble

    def fields(self) -> dict[str, str]:
        """Each field with the headers that fill it."""
        names = self.match.header
        return {name: " | ".join(names[place] for place in places) for name, places in self.match.columns.items()}


@dataclass(frozen=True)
class _First:
    """The header record as text, in one encoding, and the line end behind it."""

    text: str
    end: str
    encoding: str
    size: int
    lines: int
    blank: int
    is_whole: bool
    preamble: int = 0
    before: tuple[str, ...] = ()

    @property
    def is_stray(self) -> bool:
        """Whether one of its quotes is never closed: it stands there by mistake."""
        return self.text.count('"') % 2 == 1


def read_text_header(file: DumpFile, sources: Sequence[Source], context: ReadContext) -> Header:
    """Open a file of text as far as its header.

    Raises
    ------
    DumpError
        The file is empty, of an encoding that nobody declared, or of no known source.
    """
    opening = open_file(file.path, file.name, _HEAD_BYTES)
    if not opening.head:
        raise DumpError(f"{file.name}: empty; send the file again")
    match, first, separator = _recognised(file, opening, sources, context)
    encoding = _encoding(file, opening, match.source, first, context)
    skip = len(opening.mark) + first.size
    notes = ("a quote in its header is never closed; the header was read without it",) if first.is_stray else ()
    return Header(match, opening, encoding, separator, skip, first.lines, first.blank, first.is_whole, first.preamble, notes=notes)


def _recognised(file: DumpFile, opening: Opening, sources: Sequence[Source], context: ReadContext) -> tuple[Match, _First, str]:
    """The one encoding and the one separator in which a source knows the header."""
    tried: list[str] = []
    signs = _separators(sources)
    first_error: DumpError | None = None
    for first in _readings(file, opening, sources, context):
        tried += [] if first.before else [first.encoding]
        found: dict[str, Match] = {}
        for separator in signs:
            if first.before and not _may_follow(first, separator):
                continue
            able = [source for source in sources if _may(source, separator, first.encoding, opening, context)]
            if separator not in first.text and any(sign in first.text for sign in signs) and not is_known_name(first.text, able):
                continue  # one long name that holds another separator, and that no source has
            try:
                found[separator] = recognise(_names(first.text, separator), able, file.name)
            except DumpError as error:
                if first.is_stray:
                    raise DumpError(f"{file.name}: a quote in its header is never closed; send the file again") from None
                first_error = _better(first_error, error, first.text, separator)
        if len({match.header for match in found.values()}) > 1:
            names = " and ".join(repr(separator) for separator in found)
            raise DumpError(f"{file.name}: its header can be read with the separators {names}; rename a column so that one of them is left")
        for separator, match in found.items():
            return match, first, separator
    if first_error is None or (tried and tried[0] != (opening.encoding or "utf-8")):
        raise DumpError(f"{file.name}: {_undeclared(tried)}")
    raise first_error


def text_header_names(file: DumpFile) -> tuple[str, ...]:
    """The names in a file's first line, as far as they can be found, for a text file that no source recognises."""
    opening = open_file(file.path, file.name, _HEAD_BYTES)
    codec = opening.encoding or "utf-8"
    text = opening.head[: 1 << 16].decode(codec, errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    line = text.lstrip("\n").split("\n", 1)[0]
    separator = max(",;\t|", key=line.count)
    return tuple(_names(line, separator))


def encodings(source: Source, context: ReadContext) -> tuple[str, ...]:
    """The encodings to try when a file is not UTF-8: the plan's, else the source's."""
    declared = context.declared.get(source.name, {}).get("encoding")
    if not declared:
        return source.file.encodings
    if not is_codec(declared):
        raise PlanError(f"encoding '{declared}' of {source.name}: no encoding that can be read by lines (wanted gb18030, cp1252 ...)")
    return (declared,)


def _undeclared(tried: Sequence[str]) -> str:
    read = (
        f"no UTF-8, and no source knows its header read as {', '.join(tried)}" if tried else "no UTF-8, and no source declares its encoding"
    )
    return f"{read}; declare its true `encoding` under [sources.NAME] in the plan (gb18030, big5, cp932, cp1252, latin-1 ...)"


def _readings(file: DumpFile, opening: Opening, sources: Sequence[Source], context: ReadContext) -> Iterator[_First]:
    if opening.encoding:
        codecs_ = [opening.encoding]
    else:
        codecs_ = list(dict.fromkeys(["utf-8", *(name for source in sources for name in encodings(source, context))]))
    for codec in codecs_:
        first = _first(file, opening, codec)
        if first:
            yield first
            yield from _behind_titles(file, opening, first)
            if codec == "utf-8":
                return


def _behind_titles(file: DumpFile, opening: Opening, first: _First | None) -> Iterator[_First]:
    """The lines behind those of one cell: a company's name or a date over a table."""
    while first and len(first.before) < MOST_TITLES and any(filled(_names(first.text, sign)) <= 1 for sign in ",;\t|"):
        try:
            first = _first(file, opening, first.encoding, first)
        except DumpError:  # that line is no header either
            return
        if first:
            yield first


def _may_follow(first: _First, separator: str) -> bool:
    return filled(_names(first.text, separator)) > 1 and all(filled(_names(line, separator)) <= 1 for line in first.before)


def filled(cells: Sequence[str]) -> int:
    """How many cells of a line are not blank."""
    return sum(1 for cell in cells if cell.strip())


def _first(file: DumpFile, opening: Opening, codec: str, after: _First | None = None) -> _First | None:
    """The header record, the file's first or that behind another: one line, or several when a quoted name holds a line end."""
    newline = b"\r" if opening.is_cr else "\n".encode(codec)
    step = len(newline)
    begin, blank = (after.size, after.blank) if after else (0, 0)
    head = opening.head
    if after and begin >= len(head):
        return None
    while True:
        end = _find(head, newline, begin, step)
        line = head[begin : end if end >= 0 else len(head)]
        if end < 0 or line.strip(b"\r \t\0"):
            break
        begin, blank = end + step, blank + 1
    stops = [begin]
    for _ in range(JOINED_LINES):
        end = _find(head, newline, stops[-1], step)
        stops.append(end + step if end >= 0 else len(head))
        try:
            text = head[begin : stops[-1]].decode(codec)
        except UnicodeError:
            return None
        if end < 0 or text.count('"') % 2 == 0:
            break
    if end < 0 and len(head) >= _HEAD_BYTES - len(codecs.BOM_UTF8):
        raise DumpError(f"{file.name}: no line end in its first megabyte; is this a text file with one record a line?")
    if text.count('"') % 2:  # a stray one: then the header is its first line
        stops, end = stops[:2], _find(head, newline, begin, step)
        text = head[begin : stops[-1]].decode(codec)
    stop, lines = stops[-1], len(stops) - 1
    bare = text.rstrip("\r\n")
    preamble, before = (after.preamble + after.lines, (*after.before, after.text)) if after else (0, ())
    return _First(bare, text[len(bare) :], codec, stop, lines, blank, end >= 0, preamble, before)


def _find(head: bytes, newline: bytes, begin: int, step: int) -> int:
    place = head.find(newline, begin)
    while place >= 0 and place % step:
        place = head.find(newline, place + 1)
    return place


def _names(text: str, separator: str) -> list[str]:
    if text.count('"') % 2:
        text = text.replace('"', "")
    try:
        return next(csv.reader([text.replace("\n", " ").replace("\0", " ")], delimiter=separator), [])
    except csv.Error:  # a name of more than 128 kB
        return [text[:80]]


def _separators(sources: Sequence[Source]) -> list[str]:
    return list(dict.fromkeys(separator for source in sources for separator in source.file.separators))


def _may(source: Source, separator: str, encoding: str, opening: Opening, context: ReadContext) -> bool:
    fits = opening.encoding or encoding == "utf-8" or encoding in encodings(source, context)
    return separator in source.file.separators and bool(fits)


def _better(old: DumpError | None, new: DumpError, text: str, separator: str) -> DumpError:
    """The error of the separator that the header really has: the one that stands there most often."""
    return new if old is None or (separator in text and text.count(separator) >= text.count(",")) else old


def _encoding(file: DumpFile, opening: Opening, source: Source, first: _First, context: ReadContext) -> str:
    """Byte order mark, then strict UTF-8, then what is declared; a source that declares nothing is read as UTF-8."""
    if opening.encoding:
        return opening.encoding
    declared = encodings(source, context)
    if not declared:
        return "utf-8"
    if _reads(opening, first, "utf-8") and decodes(file.path, "utf-8", opening, file.name):
        return "utf-8"
    # A codec that reads the header as other names than those that were recognised is not the file's.
    able = [codec for codec in declared if _reads(opening, first, codec) and decodes(file.path, codec, opening, file.name)]
    if not able:
        raise DumpError(f"{file.name}: neither UTF-8 nor {', '.join(declared)}; declare its true `encoding` for {source.name} in the plan")
    if len(able) > 1:
        raise DumpError(f"{file.name}: may be {' or '.join(able)}; declare the true one as `encoding` for {source.name} in the plan")
    return able[0]


def _reads(opening: Opening, first: _First, codec: str) -> bool:
    try:
        return opening.head[: first.size].decode(codec).endswith(first.text + first.end)
    except UnicodeError:
        return False

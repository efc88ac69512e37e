"""An .xlsx workbook: its sheets, its shared texts and number formats, each bounded before a byte of it is unpacked.

Read by our own small reader and not by openpyxl, for four things that it does not tell: where a row begins, a formula whose result was
never saved, the currency in a cell's number format, and how much it will unpack (docs/decisions/0011).
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from pipeline.errors import DumpError
from pipeline.ingest.containers.cell_formats import CellForm, built_in_form, cell_form
from pipeline.ingest.containers.zips import directory

LARGEST_WORKBOOK = 256 << 20
# Unpacked bytes of one part: a full sheet of 1,048,576 rows and 30 columns is about 1.5 GB. Texts are held in memory, the rest is small.
_LARGEST_SHEET, _LARGEST_TEXTS, _LARGEST_PART = 2 << 30, 256 << 20, 16 << 20
_RATIO, _FREE = 200, 4 << 20
_PIECE = 1 << 18
_CONTENT_TYPES = "[Content_Types].xml"
_BROKEN = (zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, OSError, NotImplementedError, ValueError, KeyError, IndexError)

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]
Text = Callable[[str], None]


@dataclass(frozen=True)
class Sheet:
    """A visible sheet: its name, and the part that holds its rows."""

    title: str
    part: str


def is_workbook(path: Path, name: str) -> bool:
    """Whether a file is an Office container (a zip that lists its content types) by its directory."""
    with path.open("rb") as stream:
        if stream.read(4) != b"PK\x03\x04":
            return False
        return any(entry.filename == _CONTENT_TYPES for entry in directory(stream, name, many=True))


class Workbook:
    """An opened workbook.

    Raises
    ------
    DumpError
        It is no .xlsx, is damaged, too large, holds macros or takes values from other files.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self._name = name
        with self._guarded():
            self._archive = zipfile.ZipFile(io.BytesIO(content))
            self._parts = {entry.filename: entry for entry in self._archive.infolist()}
            self._refuse_parts()
            book = self._target("_rels/.rels", "", "officeDocument")
            self._read_book(book)
            self.forms = self._forms(book)
            self.texts = self._texts(book)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _refuse_parts(self) -> None:
        names = [entry.filename for entry in self._archive.infolist()]
        if len(set(names)) < len(names):
            raise DumpError(f"{self._name}: holds a part twice; save it again in a spreadsheet")
        low = [name.lower() for name in names]
        if any(name.endswith("vbaproject.bin") for name in low):
            raise DumpError(f"{self._name}: holds macros; save it as .xlsx and send that")
        if any("/externallinks/" in name for name in low):
            raise DumpError(f"{self._name}: takes values from other workbooks; save it with values alone, or as CSV")
        if any(name.endswith("workbook.bin") for name in low):
            raise DumpError(f"{self._name}: a binary workbook (.xlsb); save it as .xlsx or CSV and send that")
        if not any(name.endswith("workbook.xml") for name in low):
            raise DumpError(f"{self._name}: an Office file that is no workbook; send the table as .xlsx or CSV")

    def _open(self, part: str, limit: int = _LARGEST_PART) -> Iterator[bytes]:
        entry = self._parts[part]
        if entry.file_size > limit or entry.file_size > _FREE + _RATIO * entry.compress_size:
            raise DumpError(f"{self._name}: {part} in it unpacks to {entry.file_size >> 20:,} MB, more than a table needs; send it as CSV")
        # zipfile gives no byte beyond the size that the directory states, and then holds them against the checksum.
        with self._archive.open(entry) as stream:
            while piece := stream.read(_PIECE):
                yield piece

    def _parse(self, part: str, start: Start, end: End | None = None, text: Text | None = None, limit: int = _LARGEST_PART) -> None:
        parser = xml_parser(self._name)
        call_locally(parser, start, end, text)
        for piece in self._open(part, limit):
            parser.Parse(piece, False)
        parser.Parse(b"", True)

    def _guarded(self) -> Guard:
        return Guard(self._name)

    def _target(self, rels: str, folder: str, kind: str) -> str:
        found = [path for type_, path in self._relations(rels, folder).values() if type_ == kind]
        if not found:
            raise DumpError(f"{self._name}: a workbook without its {kind}; save it again in a spreadsheet")
        return found[0]

    def _relations(self, rels: str, folder: str) -> dict[str, tuple[str, str]]:
        """Id -> kind and path of the parts that another part names."""
        found: dict[str, tuple[str, str]] = {}

        def start(tag: str, given: dict[str, str]) -> None:
            if tag == "Relationship" and given.get("TargetMode") != "External":
                path = posixpath.normpath(posixpath.join("/" + folder, given["Target"])).lstrip("/")
                found[given["Id"]] = (given["Type"].rsplit("/", 1)[-1], path)

        if rels in self._parts:
            self._parse(rels, start)
        return found

    def _beside(self, book: str) -> dict[str, tuple[str, str]]:
        folder, file = posixpath.split(book)
        return self._relations(posixpath.join(folder, "_rels", f"{file}.rels"), folder)

    # -- what the parts say --------------------------------------------------------------------------------------------

    def _read_book(self, book: str) -> None:
        named: list[tuple[str, str]] = []
        self.is_1904 = False

        def start(tag: str, given: dict[str, str]) -> None:
            if tag == "workbookPr":
                self.is_1904 = given.get("date1904", "0") in {"1", "true"}
            if tag == "sheet" and given.get("state", "visible") == "visible":
                named.append((given["name"], given["id"]))

        self._parse(book, start)
        relations = self._beside(book)
        self.sheets = [
            Sheet(title, relations[key][1]) for title, key in named if relations.get(key, ("",))[0] == "worksheet"
        ]  # fmt: skip

    def _forms(self, book: str) -> list[CellForm]:
        """The form of each cell style."""
        codes: dict[int, str] = {}
        numbers: list[int] = []
        inside: list[str] = []

        def start(tag: str, given: dict[str, str]) -> None:
            inside.append(tag)
            if tag == "numFmt" and "numFmts" in inside:
                codes[int(given["numFmtId"])] = given["formatCode"]
            if tag == "xf" and "cellXfs" in inside:
                numbers.append(int(given.get("numFmtId", "0")))

        def end(_: str) -> None:
            inside.pop()

        styles = [path for kind, path in self._beside(book).values() if kind == "styles"]
        if styles:
            self._parse(styles[0], start, end)
        return [cell_form(codes[number]) if number in codes else built_in_form(number) for number in numbers]

    def _texts(self, book: str) -> list[str]:
        """The texts that cells share; phonetic guides are left out."""
        texts: list[str] = []
        pieces: list[str] = []
        state = {"is_text": False, "is_aside": False}

        def start(tag: str, _: dict[str, str]) -> None:
            if tag == "si":
                pieces.clear()
            state["is_aside"] |= tag == "rPh"
            state["is_text"] = tag == "t" and not state["is_aside"]

        def end(tag: str) -> None:
            state["is_text"] = False
            if tag == "rPh":
                state["is_aside"] = False
            if tag == "si":
                texts.append(unescaped("".join(pieces)))

        def text(piece: str) -> None:
            if state["is_text"]:
                pieces.append(piece)

        shared = [path for kind, path in self._beside(book).values() if kind == "sharedStrings"]
        if shared:
            self._parse(shared[0], start, end, text, _LARGEST_TEXTS)
        return texts

    def sheet_bytes(self, sheet: Sheet) -> Iterator[bytes]:
        """The XML of a sheet, in pieces."""
        with self._guarded():
            yield from self._open(sheet.part, _LARGEST_SHEET)


class Guard:
    """Turns whatever a damaged workbook makes its readers raise into the refusal of that file."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, _BROKEN):
            raise DumpError(
                f"{self._name}: a workbook that is damaged or cut off; wait for the upload to finish, or save and send it again"
            ) from None


def xml_parser(name: str) -> expat.XMLParserType:
    """A parser that stops at a document type, for no workbook has one and bombs do."""
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise DumpError(f"{name}: a workbook with a document type of its own, which no spreadsheet writes; save it again and send that")

    parser.StartDoctypeDeclHandler = refuse
    return parser


def call_locally(parser: expat.XMLParserType, start: Start, end: End | None = None, text: Text | None = None) -> None:
    """Call back with names without their prefix (`x:row` is `row`)."""
    parser.StartElementHandler = lambda tag, given: start(local(tag), {local(key): value for key, value in given.items()})
    if end:
        parser.EndElementHandler = lambda tag: end(local(tag))
    if text:
        parser.CharacterDataHandler = text


def local(tag: str) -> str:
    """A name without its prefix."""
    return tag[tag.rfind(":") + 1 :]


def unescaped(text: str) -> str:
    """Text as it was typed: a spreadsheet writes a control sign as `_x000D_`."""
    if "_x" not in text:
        return text
    parts = text.split("_x")
    whole = [parts[0]]
    for part in parts[1:]:
        code = part[:4]
        if len(part) > 4 and part[4] == "_" and all(sign in "0123456789abcdefABCDEF" for sign in code):
            whole.append(chr(int(code, 16)) + part[5:])
        else:
            whole.append("_x" + part)
    return "".join(whole)

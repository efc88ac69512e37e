"""Sidecar files, in which a sender states checksums and row counts of a dump's files."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.errors import DumpError

SUMS = "sha256sums"
MANIFEST = "manifest.csv"
ENDING = ".sha256"
DONE = "_SUCCESS"  # a file that a sender puts into a folder when all others are there
# A manifest of a million files; more is no manifest.
_LONGEST = 128 << 20
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_SUM_LINE = re.compile(r"(?P<escaped>\\?)(?P<sum>[0-9a-fA-F]{64})(?: [ *](?P<name>.+))?")
_TAGGED_LINE = re.compile(r"(?P<escaped>\\?)SHA256 \((?P<name>.+)\) = (?P<sum>[0-9a-fA-F]{64})")
_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}
_COLUMNS = {"file", "rows", "sha256"}


@dataclass(frozen=True)
class Promise:
    """The sender's statement on one file: SHA-256 of its bytes (hexadecimal, lower case) and its number of data rows."""

    sha256: str | None = None
    rows: int | None = None


NOTHING = Promise()


def is_no_data(name: str) -> bool:
    """Whether a file is no data by its name: hidden, `_SUCCESS`, `*.md`, README, a checksum."""
    low = name.rsplit("/", 1)[-1].lower()
    return low.startswith(".") or low in {DONE.lower(), SUMS, MANIFEST} or low.endswith((ENDING, ".md")) or low.split(".")[0] == "readme"


def is_sidecar(path: Path) -> bool:
    """Whether a file describes others: `NAME.sha256`, `SHA256SUMS`, or a `manifest.csv` with `file` and `rows` or `sha256`."""
    name = path.name.lower()
    return name == SUMS or name.endswith(ENDING) or (name == MANIFEST and _has_manifest_header(path))


def read_promises(sidecars: Mapping[str, Path], files: Iterable[str], *, whole: bool = True) -> dict[str, Promise]:
    """The checksums and row counts that the sidecars of a dump state.

    Parameters
    ----------
    sidecars : path inside the dump, with `/` -> the file; a sidecar covers its own folder and those below it.
    files : the dump's input files, by their paths inside the dump.
    whole : a sidecar may name only files that are there; False when one file alone is the dump.

    Returns
    -------
    dict
        A promise for each file that is named; the others have none.

    Raises
    ------
    DumpError
        A sidecar is not understood, names a file that is not there or that leaves its folder, or two contradict each other.
    """
    there = set(files)
    promises: dict[str, Promise] = {}
    for sidecar, path in sorted(sidecars.items()):
        for name, promise in _read_sidecar(sidecar, path):
            if name in there:
                promises[name] = _merged(promises.get(name, NOTHING), promise, sidecar, name)
            elif whole and not is_no_data(name):
                raise DumpError(f"{sidecar}: names {name}, which is not there; send the file again, or take its name out")
    return promises


def check_sum(file: str, promise: Promise, sha256: str) -> None:
    """Raise `DumpError` when a file's bytes are not those that the sender hashed."""
    if promise.sha256 is not None and promise.sha256 != sha256:
        raise DumpError(
            f"{file}: its bytes are not those of its checksum (SHA-256 {sha256[:12]}..., wanted {promise.sha256[:12]}...)"
            "; wait for the upload to finish, or send both again"
        )


def check_rows(file: str, promise: Promise, least: int, most: int) -> None:
    """Raise `DumpError` unless the promised count of data rows lies between two counts of what was read."""
    if promise.rows is not None and not least <= promise.rows <= most:
        raise DumpError(f"{file}: {most:,} rows, but the manifest says {promise.rows:,}; wait for the upload to finish, or send both again")


def _read_sidecar(sidecar: str, path: Path) -> Iterator[tuple[str, Promise]]:
    name = path.name.lower()
    folder = PurePosixPath(sidecar).parent
    if name == MANIFEST:
        statements = _manifest(sidecar, path)
    elif name == SUMS:
        statements = _sums(sidecar, path)
    else:
        yield sidecar[: -len(ENDING)], Promise(sha256=_one_sum(sidecar, path))
        return
    for inner, promise in statements:
        yield str(folder / _inside(sidecar, inner)), promise


def _one_sum(sidecar: str, path: Path) -> str:
    lines = [line for line in _text(sidecar, path).splitlines() if line.strip()]
    found = _sum_line(lines[0].strip()) if len(lines) == 1 else None
    if found is None:
        raise DumpError(f"{sidecar}: no SHA-256 in it; wanted one line, as sha256sum writes it; make it again")
    return found[0]


def _sums(sidecar: str, path: Path) -> Iterator[tuple[str, Promise]]:
    for number, line in enumerate(_text(sidecar, path).split("\n"), 1):
        text = line.rstrip("\r")
        if not text.strip():
            continue
        found = _sum_line(text)
        if found is None or not found[1]:
            raise DumpError(f"{sidecar}: line {number} is none of sha256sum; wanted 64 hexadecimal digits, two blanks and a file name")
        yield found[1], Promise(sha256=found[0])


def _sum_line(line: str) -> tuple[str, str] | None:
    """Sum and name (empty: none) of a line of sha256sum, in its plain, its escaped and its `--tag` form."""
    hit = _SUM_LINE.fullmatch(line) or _TAGGED_LINE.fullmatch(line)
    if not hit:
        return None
    name = hit["name"] or ""
    if hit["escaped"]:
        name = re.sub(r"\\[\\nr]", lambda found: _ESCAPES[found[0]], name)
    return hit["sum"].lower(), name


def _manifest(sidecar: str, path: Path) -> Iterator[tuple[str, Promise]]:
    lines = _text(sidecar, path).splitlines()
    header = [name.lower() for name in _cells(lines[0])]
    for number, cells in enumerate(map(_cells, lines[1:]), 2):
        if not any(cells):
            continue
        entry = {name: cell for name, cell in zip(header, cells, strict=False) if name in _COLUMNS}
        rows, digest = entry.get("rows", ""), entry.get("sha256", "")
        fits = len(cells) == len(header) and entry["file"] and re.fullmatch(r"[0-9]{0,15}", rows) and (not digest or _HEX.fullmatch(digest))
        if not fits:
            raise DumpError(f"{sidecar}: line {number} is not understood; wanted a file name, its data rows as a whole number, its SHA-256")
        yield entry["file"], Promise(sha256=digest.lower() or None, rows=int(rows) if rows else None)


def _has_manifest_header(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.readline(1 << 16).decode("utf-8-sig", errors="replace")
    names = {name.lower() for name in _cells(head.rstrip("\r\n"))}
    return "file" in names and bool(names & {"rows", "sha256"})


def _cells(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line]), [])]
    except csv.Error:  # a cell of more than 128 kB
        return ["?"]


def _text(sidecar: str, path: Path) -> str:
    if path.stat().st_size > _LONGEST:
        raise DumpError(f"{sidecar}: more than 128 MB; wanted a list of files")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DumpError(f"{sidecar}: no UTF-8; make it again") from None


def _inside(sidecar: str, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise DumpError(f"{sidecar}: names {name}, which leaves its folder; name files of this folder alone")
    return path


def _merged(old: Promise, new: Promise, sidecar: str, file: str) -> Promise:
    for before, after in ((old.sha256, new.sha256), (old.rows, new.rows)):
        if before is not None and after is not None and before != after:
            raise DumpError(f"{sidecar}: says {after} of {file}, and another file beside it {before}; take the wrong one away")
    return Promise(new.sha256 if old.sha256 is None else old.sha256, new.rows if old.rows is None else old.rows)

"""Which files of a folder are the dump's input."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DumpError

# Endings of files that are still being uploaded.
UNFINISHED = (".part", ".filepart", ".crdownload", ".tmp", ".partial")
_BESIDE = (".sha256", ".md")


@dataclass(frozen=True)
class DumpFile:
    """One input file: its path inside the dump with `/`, and where it lies."""

    name: str
    path: Path


def list_dump(path: Path) -> list[DumpFile]:
    """The input files of a dump, sorted by name; a single file is a dump of one.

    Hidden files, `_SUCCESS`, `*.sha256` and README files lie beside the data and are no input.

    Raises
    ------
    DumpError
        Nothing is there, a file is still being uploaded, or a link leaves the dump.
    """
    if path.is_file():
        _refuse_unfinished(path.name)
        return [DumpFile(path.name, path)]
    if not path.is_dir():
        raise DumpError(f"{path}: no such file or folder")
    root = path.resolve()
    files = []
    for entry in sorted(path.rglob("*")):
        name = entry.relative_to(path).as_posix()
        if any(part.startswith(".") for part in name.split("/")):
            continue
        if entry.is_symlink() and not _inside(entry, root):
            raise DumpError(f"{name}: a link that leaves the dump; put the file itself there")
        if entry.is_dir() or _is_beside(entry.name):
            continue
        if not entry.is_file():
            raise DumpError(f"{name}: neither a file nor a folder; remove it")
        _refuse_unfinished(name)
        files.append(DumpFile(name, entry))
    if not files:
        raise DumpError(f"{path}: no file in it; wait for the upload, then run again")
    return sorted(files, key=lambda file: file.name)


def _inside(link: Path, root: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):  # a link to nothing, or to itself
        return False


def _is_beside(name: str) -> bool:
    low = name.lower()
    return low == "_success" or low.endswith(_BESIDE) or low.split(".")[0] == "readme"


def _refuse_unfinished(name: str) -> None:
    if name.lower().endswith(UNFINISHED):
        raise DumpError(f"{name}: still being uploaded; wait for the upload to finish, then run again")


def path_values(patterns: Mapping[str, str], file: str) -> dict[str, str]:
    """What a source takes from a file's path inside the dump.

    Raises
    ------
    DumpError
        The path does not match.
    """
    found: dict[str, str] = {}
    for name, pattern in patterns.items():
        if pattern == "file_stem":
            found[name] = file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
            continue
        hit = re.search(pattern, file)
        if not hit:
            raise DumpError(f"{file}: its path does not say {name}; wanted a path like {pattern}")
        found[name] = hit["value"]
    return found

"""Which files of a folder are the dump's input."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import DumpError
from pipeline.ingest.containers.archives import plain_name
from pipeline.ingest.containers.sidecars import ENDING, MANIFEST, NOTHING, SUMS, Promise, is_no_data, is_sidecar, read_promises
from pipeline.tables.file_names import without_copy_mark

# Endings of files that are still being uploaded.
UNFINISHED = (".part", ".filepart", ".crdownload", ".tmp", ".partial")


@dataclass(frozen=True)
class DumpFile:
    """One input file: its name (the path inside the dump, with `/`), its path on the disk, and the sender's statement on it."""

    name: str
    path: Path
    promise: Promise = NOTHING


def list_dump(path: Path) -> list[DumpFile]:
    """The input files of a dump, sorted by name; a single file is a dump of one.

    Hidden files, `_SUCCESS`, README files and sidecars are no input; the statements of the sidecars are in `promise`.

    Raises
    ------
    DumpError
        Nothing is there, a file is still being uploaded, a link leaves the dump, or a sidecar is not understood.
    """
    if path.is_file():
        _refuse_unfinished(path.name)
        return _promised([DumpFile(path.name, path)], _sidecars_of(path), whole=False)
    if not path.is_dir():
        raise DumpError(f"{path}: no such file or folder")
    root = path.resolve()
    files, sidecars = [], {}
    for entry in _entries(path):
        name = entry.relative_to(path).as_posix()
        if not _is_text(name):
            raise DumpError(f"{name!a}: a file name that is not UTF-8; rename it")
        if any(part.startswith(".") for part in name.split("/")):
            continue
        if entry.is_symlink() and not _inside(entry, root):
            raise DumpError(f"{name}: a link that leaves the dump; put the file itself there")
        if entry.is_dir():
            continue
        if not entry.is_file():
            raise DumpError(f"{name}: neither a file nor a folder; remove it")
        if is_sidecar(entry):
            sidecars[name] = entry
            continue
        if is_no_data(name) and entry.name.lower() != MANIFEST:
            continue
        _refuse_unfinished(name)
        files.append(DumpFile(name, entry))
    if not files:
        raise DumpError(f"{path}: no file in it; wait for the upload, then run again")
    return _promised(sorted(files, key=lambda file: file.name), sidecars, whole=True)


def _entries(folder: Path) -> list[Path]:
    """Every path below a folder, sorted; raises `DumpError` where a folder cannot be listed, since its files would be missed."""

    def refuse(error: OSError) -> None:
        raise unreadable(Path(str(error.filename)).name, error)

    found = [Path(place) / name for place, folders, names in os.walk(folder, onerror=refuse) for name in (*folders, *names)]
    return sorted(found)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of another encoding, as Python carries them
        return False
    return True


def _promised(files: list[DumpFile], sidecars: Mapping[str, Path], *, whole: bool) -> list[DumpFile]:
    promises = read_promises(sidecars, (file.name for file in files), whole=whole)
    return [replace(file, promise=promises.get(file.name, NOTHING)) for file in files]


def _sidecars_of(path: Path) -> dict[str, Path]:
    """The sidecars in the folder of a single file that may cover it."""
    if is_sidecar(path):
        return {}
    wanted = {path.name.lower() + ENDING, SUMS, MANIFEST}
    return {other.name: other for other in path.parent.iterdir() if other.name.lower() in wanted and other.is_file() and is_sidecar(other)}


def _inside(link: Path, root: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):  # a link to nothing, or to itself
        return False


def _refuse_unfinished(name: str) -> None:
    if name.lower().endswith(UNFINISHED):
        raise DumpError(f"{name}: still being uploaded; wait for the upload to finish, then run again")


def unreadable(name: str, error: OSError) -> DumpError:
    """The refusal of a file that cannot be read, or that disappeared while it was read."""
    return DumpError(f"{name}: {error.strerror or error}; make it readable, or wait for the upload to finish, then run again")


def _stem(file: str) -> str:
    return plain_name(file.rsplit("/", 1)[-1]).rsplit(".", 1)[0]


def without_copies(files: Sequence[DumpFile]) -> tuple[list[DumpFile], dict[str, str]]:
    """The files without second downloads, and each left-out name with the one that is read.

    A copy has the same bytes and the same name but for the mark of a copy. Only files whose names suggest it are hashed.
    """
    groups: dict[tuple[str, str], list[DumpFile]] = {}
    for file in files:
        folder, _, name = file.name.rpartition("/")
        ending = name[len(_stem(name)) :]
        groups.setdefault((folder, without_copy_mark(_stem(name)) + ending), []).append(file)
    copies: dict[str, str] = {}
    for group in groups.values():
        first_of: dict[str, str] = {}
        for file in sorted(group, key=lambda one: (len(one.name), one.name)) if len(group) > 1 else ():
            with file.path.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
            if first_of.setdefault(digest, file.name) != file.name:
                copies[file.name] = first_of[digest]
    return [file for file in files if file.name not in copies], copies


def copy_warnings(copies: Mapping[str, str]) -> list[str]:
    """A line for each copy that is not read."""
    return [f"{copy}: the same bytes as {original}; read once" for copy, original in sorted(copies.items())]


def path_values(patterns: Mapping[str, str], file: str) -> dict[str, str]:
    """The fields that a source takes from a file's path inside the dump: field -> text.

    Raises
    ------
    DumpError
        The path does not match.
    """
    found: dict[str, str] = {}
    for name, pattern in patterns.items():
        if pattern == "file_stem":
            found[name] = without_copy_mark(_stem(file))
            continue
        hit = re.search(pattern, file)
        if not hit:
            raise DumpError(f"{file}: its path does not say {name}; wanted a path like {pattern}")
        found[name] = hit["value"]
    return found

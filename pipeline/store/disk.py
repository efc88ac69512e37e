"""Steps of every write: I/O errors with path and cure, fsync of files and folders, replacement of a name in one step."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pipeline.errors import NotWritten

TEMPORARY = ".tmp-"


@contextlib.contextmanager
def written(what: Path) -> Iterator[None]:
    """Turn an `OSError` of a write into `NotWritten` with path and cure."""
    try:
        yield
    except OSError as error:
        place = error.filename2 or error.filename or what
        raise NotWritten(
            f"{place}: {error.strerror or error}; make room or give the right to write there, then run again (the last list is unchanged)"
        ) from error


@contextlib.contextmanager
def kept(what: Path, cure: str) -> Iterator[None]:
    """Turn the error of a damaged, missing or unreadable file of the data folder into `NotWritten` with path and cure.

    Other errors (too many open files, no memory, a failing disk) pass through: they do not mean that the file is damaged.
    """
    try:
        yield
    except PermissionError as error:
        raise NotWritten(f"{what}: {error.strerror}; make it readable, then run again") from error
    except (OSError, ValueError, KeyError) as error:  # Arrow's own errors on damaged input have no errno
        if isinstance(error, OSError) and error.errno not in {None, errno.ENOENT, errno.EISDIR, errno.ENOTDIR}:
            raise
        raise NotWritten(f"{what}: damaged or incomplete; {cure}") from error


def move_folder(filled: Path, final: Path) -> None:
    """Rename a synced folder to its final name; to another disk it is first copied under a temporary name."""
    try:
        filled.rename(final)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copied = final.with_name(f"{TEMPORARY}{final.name}")
        if copied.exists():
            shutil.rmtree(copied)
        shutil.copytree(filled, copied)
        sync_tree(copied)
        copied.rename(final)
        shutil.rmtree(filled)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[pa.NativeFile]:
    """A file for tables, buffered by one megabyte, because Arrow writes each page of each column separately."""
    with pa.OSFile(str(path), "wb") as file, pa.BufferedOutputStream(file, 1 << 20) as stream:
        yield stream


def sync_folder(folder: Path) -> None:
    """fsync a folder, so that the names in it survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folders(folder: Path) -> None:
    """Make a folder and its parents; each new name is synced, so that a power cut cannot remove a parent."""
    new = []
    while not folder.is_dir():
        new.append(folder)
        folder = folder.parent
    for path in reversed(new):
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_tree(folder: Path) -> None:
    """fsync all files and folders below a folder."""
    for path, _, names in os.walk(folder):
        for name in names:
            handle = os.open(Path(path) / name, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(Path(path))


def replace_file(path: Path, content: bytes) -> None:
    """Replace a small file in one step: a reader sees the old content or the new one."""
    temporary = path.parent / f"{TEMPORARY}{path.name}"
    with written(path):
        with temporary.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        sync_folder(path.parent)


def place_folder(filled: Path, final: Path) -> None:
    """Sync a filled folder and rename it to its final name; a folder of that name, to which nothing points, is removed."""
    with written(final):
        make_folders(final.parent)
        sync_tree(filled)
        if final.exists():
            shutil.rmtree(final)
        move_folder(filled, final)
        sync_folder(final.parent)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with its contents."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()

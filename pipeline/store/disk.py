"""Helpers of every write: errors of the disk with place and cure, bytes forced to the disk, names replaced in one step."""

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
    """Turn the disk's refusals into `NotWritten` with the place and the cure."""
    try:
        yield
    except OSError as error:
        place = error.filename2 or error.filename or what
        raise NotWritten(
            f"{place}: {error.strerror or error}; make room or give the right to write there, then run again (the last list stands)"
        ) from error


@contextlib.contextmanager
def kept(what: Path, cure: str) -> Iterator[None]:
    """Turn what a damaged, missing or closed file of ours gives into `NotWritten` with the place and the cure.

    All else (too many open files, no memory, a disk that fails) says nothing of the file: to remove it would be no cure.
    """
    try:
        yield
    except PermissionError as error:
        raise NotWritten(f"{what}: {error.strerror}; make it readable, then run again") from error
    except (OSError, ValueError, KeyError) as error:  # Arrow's own errors of input carry no number
        if isinstance(error, OSError) and error.errno not in {None, errno.ENOENT, errno.EISDIR, errno.ENOTDIR}:
            raise
        raise NotWritten(f"{what}: damaged or incomplete; {cure}") from error


def move_folder(filled: Path, final: Path) -> None:
    """Give a folder that is synced its name for good; onto another disk it is copied first, under a temporary name there."""
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
    """A file to write tables into, in pieces of a megabyte: Arrow hands over every page of every column by itself."""
    with pa.OSFile(str(path), "wb") as file, pa.BufferedOutputStream(file, 1 << 20) as stream:
        yield stream


def sync_folder(folder: Path) -> None:
    """Force a folder's names to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folders(folder: Path) -> None:
    """Make a folder and those above it; every new name is forced to the disk, so that a power cut cannot take a parent away."""
    new = []
    while not folder.is_dir():
        new.append(folder)
        folder = folder.parent
    for path in reversed(new):
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_tree(folder: Path) -> None:
    """Force all files below a folder, and its names, to the disk."""
    for path, _, names in os.walk(folder):
        for name in names:
            handle = os.open(Path(path) / name, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(Path(path))


def replace_file(path: Path, content: bytes) -> None:
    """Put a small file in the place of another one in one step: the old content stands, or the new."""
    temporary = path.parent / f"{TEMPORARY}{path.name}"
    with written(path):
        with temporary.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        sync_folder(path.parent)


def place_folder(filled: Path, final: Path) -> None:
    """Give a filled folder its name for good; what bore that name without anybody pointing to it gives way."""
    with written(final):
        make_folders(final.parent)
        sync_tree(filled)
        if final.exists():
            shutil.rmtree(final)
        move_folder(filled, final)
        sync_folder(final.parent)


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()

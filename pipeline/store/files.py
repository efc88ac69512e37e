"""Folders that are written completely or not at all, small files, digests, and scratch folders."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.store.disk import TEMPORARY, make_folders, sync_folder, sync_tree, written


def write_files(target: Path, files: Iterable[tuple[str, Iterable[bytes]]]) -> None:
    """Make the folder `target` with these files (relative name, chunks of bytes), all or nothing.

    Raises
    ------
    UsageError
        `target` exists and is not an empty folder.
    NotWritten
        An I/O error; nothing is left behind.
    """
    with written(target):
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UsageError(f"{target} exists and is not empty; name a new folder")
        make_folders(target.parent)
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=target.parent))
        try:
            for name, chunks in files:
                path = temporary / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as handle:
                    for chunk in chunks:
                        handle.write(chunk)
            temporary.chmod(0o755)
            sync_tree(temporary)
            if target.exists():
                target.rmdir()
            temporary.rename(target)
            sync_folder(target.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_new_file(path: Path, content: bytes) -> None:
    """Write a small file into a folder that is not yet committed."""
    with written(path):
        path.write_bytes(content)


def file_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a small file, at most `limit` + 1 of them."""
    with path.open("rb") as handle:
        return handle.read(limit + 1)


def content_or_none(path: Path) -> bytes | None:
    """The bytes of a small file, or None where it does not exist."""
    return path.read_bytes() if path.is_file() else None


def file_digest(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    held, size = hashlib.sha256(), 0
    with path.open("rb") as handle:
        while chunk := handle.read(1 << 20):
            held.update(chunk)
            size += len(chunk)
    return size, held.hexdigest()


def make_folder(path: Path) -> None:
    """Make an empty folder inside a work folder."""
    with written(path):
        path.mkdir()


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary work folder outside the data folder, for dry runs."""
    with written(Path(tempfile.gettempdir())):
        folder = Path(tempfile.mkdtemp(prefix="shortlist-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

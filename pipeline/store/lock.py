"""The lock of a data folder: one run at a time, freed by the kernel when its holder dies, and readable: it says who holds it.

Imports next to nothing, so that a second run finds the lock before it loads a library and leaves at once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import Locked, NotWritten

NAME = ".lock"
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_TOLD_BYTES = 200


@contextlib.contextmanager
def hold(root: Path) -> Iterator[None]:
    """Hold a data folder for one run, making the folder where it is missing.

    Raises
    ------
    Locked
        Another process holds it; raised at once, with the holder's name.
    NotWritten
        The folder cannot be made or written, or its disk knows no locks.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = os.open(root / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise _not_written(root, error) from error
    try:
        _take(handle, root)
        yield
    finally:
        with contextlib.suppress(OSError):  # it is free all the same
            os.close(handle)


def holder(root: Path) -> str | None:
    """Who holds a data folder now (`process 71 on shop since ...`), None when nobody does; takes nothing away from anybody."""
    try:
        handle = os.open(root / NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _told(handle)
    finally:
        os.close(handle)
    return None


def _take(handle: int, root: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Locked(f"{root}: another run holds the lock ({_told(handle)}); wait until it ends") from None
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise NotWritten(f"{root}: {error.strerror}; put the data folder on a disk that knows file locks") from None
        raise _not_written(root, error) from error
    # Only a help for whoever waits: on a full disk the lock holds without it.
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        message = f"process {os.getpid()} on {os.uname().nodename} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n"
        os.pwrite(handle, message.encode("utf-8", "replace")[:_TOLD_BYTES], 0)


def _told(handle: int) -> str:
    try:
        return os.pread(handle, _TOLD_BYTES, 0).decode("utf-8", "replace").strip() or "it has not said who it is"
    except OSError:
        return "it cannot be read who it is"


def _not_written(root: Path, error: OSError) -> NotWritten:
    place = error.filename or root
    return NotWritten(
        f"{place}: {error.strerror or error}; make room or give the right to write there, then run again (the last list stands)"
    )

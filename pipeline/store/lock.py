"""The lock of a data folder: one run at a time. The kernel frees it when its holder dies, and the lock file names the holder.

This module imports no heavy library, so that a second run finds the lock and ends at once.
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
_HOLDER_BYTES = 200


@contextlib.contextmanager
def hold(root: Path) -> Iterator[None]:
    """Lock a data folder for one run; a missing folder is made.

    Raises
    ------
    Locked
        Another process holds the lock; raised without waiting, with the name of the holder.
    NotWritten
        The folder cannot be made or written, or its file system has no locks.
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
        with contextlib.suppress(OSError):  # the lock is free even so
            os.close(handle)


def holder(root: Path) -> str | None:
    """Who holds the lock now (`process 71 on shop since ...`), None where it is free; does not take the lock for longer than the test."""
    try:
        handle = os.open(root / NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _holder_named_in(handle)
    finally:
        os.close(handle)
    return None


def _take(handle: int, root: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Locked(f"{root}: another run holds the lock ({_holder_named_in(handle)}); wait until it ends") from None
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise NotWritten(f"{root}: {error.strerror}; put the data folder on a disk that knows file locks") from None
        raise _not_written(root, error) from error
    # The holder's name is only a help: on a full disk the lock works without it.
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        message = f"process {os.getpid()} on {os.uname().nodename} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n"
        os.pwrite(handle, message.encode("utf-8", "replace")[:_HOLDER_BYTES], 0)


def _holder_named_in(handle: int) -> str:
    try:
        return os.pread(handle, _HOLDER_BYTES, 0).decode("utf-8", "replace").strip() or "no name given"
    except OSError:
        return "its name cannot be read"


def _not_written(root: Path, error: OSError) -> NotWritten:
    place = error.filename or root
    return NotWritten(
        f"{place}: {error.strerror or error}; make room or give the right to write there, then run again (the last list is unchanged)"
    )

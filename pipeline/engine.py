"""The executor: this process, or a pool of processes. Tasks get paths and parameters, never tables, and return small facts.

The answer does not depend on which one works: tasks are pure over files, and what they return is put together in the order of the tasks.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline.errors import NotWritten

Task = TypeVar("Task")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Work:
    """A piece of work with visible progress: of `total` bytes or buckets, `done()` gives how many are done, and their rows."""

    total: int
    is_bytes: bool
    done: Callable[[], tuple[int, int]]


Watch = Callable[[Work], contextlib.AbstractContextManager[object]]


def unwatched(work: Work) -> contextlib.AbstractContextManager[object]:
    """Nobody looks on."""
    return contextlib.nullcontext()


class Counts:
    """Bytes and rows that the tasks of a run have read so far, in memory that its processes share.

    Each task has a place of its own, so that no lock is needed, and none is left held by a worker that was killed.
    """

    def __init__(self, tasks: int) -> None:
        self._held = multiprocessing.get_context("spawn").RawArray("q", 2 * tasks)

    def tell(self, place: int, bytes_: int, rows: int) -> None:
        """What the task at a place has read until now."""
        self._held[2 * place], self._held[2 * place + 1] = bytes_, rows

    def read(self) -> tuple[int, int]:
        """Bytes and rows of all tasks."""
        held = list(self._held)
        return sum(held[::2]), sum(held[1::2])


_counts: list[Counts] = []  # of this process; empty where nobody looks on


def _count_in(counts: Counts | None) -> None:
    _counts[:] = [counts] if counts else []


def report_progress(place: int, bytes_: int, rows: int) -> None:
    """Tell whoever looks on what the task at a place has read until now."""
    for counts in _counts:
        counts.tell(place, bytes_, rows)


class SerialExecutor(Executor):
    """Runs every task at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the call and hand back its finished future."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # a future carries whatever its task raised
            if not isinstance(error, Exception):
                raise
            future.set_exception(error)
        return future


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def executor(workers: int, counts: Counts | None = None) -> Iterator[Executor]:
    """One worker: this process; more: a pool of fresh processes (not forked: Arrow's threads do not survive a fork)."""
    if workers <= 1:
        _count_in(counts)
        try:
            yield SerialExecutor()
        finally:
            _count_in(None)
        return
    context = multiprocessing.get_context("spawn")
    try:
        made = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(counts,))
    except OSError as error:
        raise NotWritten(f"worker processes share memory in /dev/shm: {error.strerror}; run again with --workers 1") from None
    with made as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin(counts: Counts | None) -> None:
    _count_in(counts)
    _die_with_parent()


def _die_with_parent() -> None:
    """A worker whose parent was killed ends too, instead of waiting for ever with the terminal in its hands."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def run_all(
    pool: Executor, work: Callable[[Task], Answer], tasks: Iterable[Task], submitted: list[Future[Answer]] | None = None
) -> list[Answer]:
    """Every task's answer, in the order of the tasks; the first failure is raised. `submitted` is filled for whoever looks on."""
    futures = submitted if submitted is not None else []
    try:
        for task in tasks:  # a worker that was killed since the last tasks shows here
            futures.append(pool.submit(work, task))
        return [future.result() for future in futures]
    except BrokenProcessPool:
        raise NotWritten(
            "a worker was killed, most likely for lack of memory; run again with --workers 1 or on a machine with more memory"
        ) from None

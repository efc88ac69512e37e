"""The executor of tasks: this process or a pool of worker processes. A task receives paths and parameters, never tables, and returns
small facts.

The result does not depend on the executor: a task depends only on its files and parameters, and answers are returned in task order.
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
    """Work with visible progress: `total` bytes or buckets; `done()` returns how many are done, and the rows read."""

    total: int
    is_bytes: bool
    done: Callable[[], tuple[int, int]]


Watch = Callable[[Work], contextlib.AbstractContextManager[object]]


def unwatched(work: Work) -> contextlib.AbstractContextManager[object]:
    """Show no progress."""
    return contextlib.nullcontext()


class Counts:
    """Bytes and rows that the tasks of a run have read so far, in shared memory.

    Each task has its own slot, so no lock is needed that a killed worker could leave held.
    """

    def __init__(self, tasks: int) -> None:
        self._held = multiprocessing.get_context("spawn").RawArray("q", 2 * tasks)

    def set(self, place: int, bytes_: int, rows: int) -> None:
        """Set what the task with this slot has read so far."""
        self._held[2 * place], self._held[2 * place + 1] = bytes_, rows

    def read(self) -> tuple[int, int]:
        """Bytes and rows of all tasks."""
        held = list(self._held)
        return sum(held[::2]), sum(held[1::2])


_counts: list[Counts] = []  # of this process; empty where no progress is shown


def _count_in(counts: Counts | None) -> None:
    _counts[:] = [counts] if counts else []


def report_progress(place: int, bytes_: int, rows: int) -> None:
    """Report what the task with slot `place` has read so far; does nothing where no progress is shown."""
    for counts in _counts:
        counts.set(place, bytes_, rows)


class SerialExecutor(Executor):
    """Runs each task in this process as soon as it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the call and return its finished future."""
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
    """One worker is this process; more are a pool of spawned processes (not forked, because Arrow's threads do not survive a fork)."""
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
    """End this worker when its parent is killed; otherwise it would wait for ever and keep the terminal open."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def run_all(
    pool: Executor, work: Callable[[Task], Answer], tasks: Iterable[Task], submitted: list[Future[Answer]] | None = None
) -> list[Answer]:
    """The answers in task order; the first failure is raised. `submitted` receives the futures, so that progress can be shown."""
    futures = submitted if submitted is not None else []
    try:
        for task in tasks:  # raises here if a worker was killed before
            futures.append(pool.submit(work, task))
        return [future.result() for future in futures]
    except BrokenProcessPool:
        raise NotWritten(
            "a worker was killed, most likely for lack of memory; run again with --workers 1 or on a machine with more memory"
        ) from None

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
from typing import Any, TypeVar

from pipeline.errors import NotWritten

Task = TypeVar("Task")
Answer = TypeVar("Answer")


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
def executor(workers: int) -> Iterator[Executor]:
    """One worker: this process; more: a pool of fresh processes (not forked: Arrow's threads do not survive a fork)."""
    if workers <= 1:
        yield SerialExecutor()
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_die_with_parent) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _die_with_parent() -> None:
    """A worker whose parent was killed ends too, instead of waiting for ever with the terminal in its hands."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def run_all(pool: Executor, work: Callable[[Task], Answer], tasks: Iterable[Task]) -> list[Answer]:
    """Every task's answer, in the order of the tasks; the first failure is raised."""
    futures = [pool.submit(work, task) for task in tasks]
    try:
        return [future.result() for future in futures]
    except BrokenProcessPool:
        raise NotWritten(
            "a worker was killed, most likely for lack of memory; run again with --workers 1 or on a machine with more memory"
        ) from None

"""Work on several items at once, answers in the order of the items."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def prefetch(work: Callable[[Item], Answer], items: Iterable[Item], threads: int) -> Iterator[tuple[Item, Callable[[], Answer]]]:
    """Each item with a call that returns its answer; with more than one thread work on the next items starts before their turn.

    An answer that is not called for is not computed with one thread, and is discarded with several. What `work` raises, the call raises.
    """
    if threads < 2:
        for item in items:
            yield item, functools.partial(work, item)
        return
    waiting: deque[tuple[Item, Callable[[], Answer]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append((item, pool.submit(work, item).result))
            if len(waiting) > threads:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()

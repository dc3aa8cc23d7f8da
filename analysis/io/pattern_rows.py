"""All patterns of a scan, a scan row at a time: one thread reads while others work on what was read."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from analysis.errors import ResultError
from analysis.io.result_patterns import checked_stack, one_line, row_of, stack_file
from analysis.records import PatternStack

T = TypeVar("T")
Counts = npt.NDArray[np.unsignedinteger[Any]]


def over_patterns(
    stack: PatternStack, make: Callable[[Counts], T], *, workers: int | None = None
) -> Iterator[list[T]]:
    """For one scan row after another the list of ``make(counts)`` of its patterns (h, w), in order.

    ``make`` is called from ``workers`` threads (one a core); at most one more row than those is held. Counts
    are 0 where a frame is missing. Raises ResultError where the file does not hold the patterns.
    """
    threads = workers or os.cpu_count() or 1
    with stack_file(stack) as file, ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[list[T]]] = deque()
        try:
            dataset = checked_stack(file, stack)
            for row in range(stack.shape[0]):
                waiting.append(pool.submit(_of_row, row_of(dataset, row), make))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except (OSError, KeyError, ValueError, RuntimeError, IndexError) as error:
            raise ResultError(stack.path, expected="the patterns of a scan", found=one_line(error)) from None


def _of_row(patterns: Counts, make: Callable[[Counts], T]) -> list[T]:
    return [make(pattern) for pattern in patterns]

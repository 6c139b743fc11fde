"""One thread for minimisations with small matrix products."""

from __future__ import annotations

import functools
import os
import threading
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # scikit-learn's


class OneBlasThread:
    """Limits the matrix products of NumPy and SciPy to one thread, inside a `with` block.

    In a minimisation, products are small and follow each other at once. Then several threads wait
    for each other longer than the products take. The limit applies to the whole process, so when
    several threads have such a block, the last one to leave it restores the number.
    """

    _lock = threading.Lock()
    _n_blocks = 0
    _limit: Any = None

    @classmethod
    def restart(cls) -> None:
        """End the blocks of other threads, which a forked process does not have."""
        if cls._n_blocks:
            cls._limit.restore_original_limits()
        cls._lock, cls._n_blocks = threading.Lock(), 0

    def __enter__(self) -> None:
        cls = OneBlasThread
        with cls._lock:
            if cls._n_blocks == 0:
                cls._limit = _blas().limit(limits=1)
            cls._n_blocks += 1

    def __exit__(self, *error: object) -> None:
        cls = OneBlasThread
        with cls._lock:
            cls._n_blocks -= 1
            if cls._n_blocks == 0:
                cls._limit.restore_original_limits()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=OneBlasThread.restart)


@functools.cache
def _blas() -> ThreadpoolController:
    """Return the controller of the BLAS libraries of NumPy and SciPy."""
    return ThreadpoolController().select(user_api="blas")

"""Progress bars of long calls, which the user turns on for a part of a program."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_bars: ContextVar[Any] = ContextVar("progress bars", default=None)


@contextlib.contextmanager
def show_progress() -> Iterator[None]:
    """Show a progress bar for every long call inside a `with` block.

    These are `fit` (a step of the bar is an epoch), and the methods that pass rows or codes through
    the networks, such as `predict`, `transform`, `inverse_transform`, `sample`, `score_samples` and
    `parzen_log_likelihood`, if they have more than one batch of rows. Each bar disappears when its
    call is complete. Calls in other threads and processes have no bars.

    Raises
    ------
    ImportError
        If the package rich is not installed.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skaae import AAETransformer, show_progress
    >>> X, _ = load_iris(return_X_y=True)
    >>> with show_progress():
    ...     Z = AAETransformer(max_iter=5, random_state=0).fit(X).transform(X)
    >>> Z.shape
    (150, 2)
    """
    try:
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
    except ImportError as error:
        raise ImportError(
            "show_progress needs the package rich; install it with pip install 'skaae[progress]'"
        ) from error
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    # on stderr, apart from the output of the program
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        token = _bars.set(bars)
        try:
            yield
        finally:
            _bars.reset(token)


class Bar:
    """A bar of so many steps; it does nothing if the user wants no bars, or for a single step."""

    def __init__(self, name: str, n_steps: int) -> None:
        self._bars = _bars.get() if n_steps > 1 else None
        if self._bars is not None:
            self._task = self._bars.add_task(name, total=n_steps)

    def advance(self, n_steps: int = 1) -> None:
        """Move on by some steps."""
        if self._bars is not None:
            self._bars.advance(self._task, n_steps)

    def close(self) -> None:
        """Remove the bar."""
        if self._bars is not None:
            self._bars.remove_task(self._task)
            self._bars = None


def counted(items: Iterable[T], n_items: int, name: str) -> Iterator[T]:
    """Yield the items; a bar counts them as they are used."""
    bar = Bar(name, n_items)
    try:
        for item in items:
            yield item
            bar.advance()
    finally:
        bar.close()

"""scikit-learn's callbacks where they exist (from 1.9 on), and nothing in their place elsewhere."""

from __future__ import annotations

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """Stands in for scikit-learn's mixin: without callbacks there is nobody to tell."""

        def _init_callback_context(self, **kwargs):
            return Silence()

    def with_callbacks(method):
        """Return the method as it is."""
        return method

    class Silence:
        """Stands in for a callback context."""

        def subcontext(self, **kwargs):
            return self

        def call_on_fit_task_begin(self, **kwargs):
            return self

        def call_on_fit_task_end(self, **kwargs):
            return False


__all__ = ["CallbackSupportMixin", "with_callbacks"]

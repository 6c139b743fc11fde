"""Trains the step of an estimator, and reports every epoch to the user and to callbacks."""

from __future__ import annotations

from skaae.device import training_threads
from skaae.estimators import warn
from skaae.private_sklearn import callback_context
from skaae.progress import Bar
from skaae.training.augmentation import with_augmentation
from skaae.training.cuda_graph import captured, with_samples
from skaae.training.loop import DivergenceError, Hooks, Loop
from skaae.training.memory import explaining_memory
from skaae.training.ranks import current, end_together, is_first, training_together


def train(estimator, run, watch):
    """Train the step of an estimator for a run, under a `Watch`; return the loop.

    Early stopping leaves the best weights. Raises FloatingPointError if training diverges.
    """
    step, settings = estimator._step, estimator._settings
    try:
        threads = training_threads(step.generator.device, settings.thread_width)
        with threads, training_together(step):
            call = as_called(step, settings.augment)
            loop = Loop(step, run, call, watch)
            watch.go_on(loop)
            with explaining_memory(step, run, call):
                loop.train()
    except DivergenceError as error:
        raise FloatingPointError(warn.about_divergence(error, settings)) from error
    finally:
        watch.bar.close()
        step.networks.eval()
        step.forget_copies()
    if run.stopping is not None:
        run.history["validation"] = run.stopping.losses
        run.stopping.restore_best()
    end_together(step, loop.order)
    return loop


def as_called(step, augment):
    """Return the step as the loop calls it: as a CUDA graph if possible, with augmentation.

    A graph cannot contain what is computed on the CPU, so that is done before it. Steps that wait
    for other processes are not recorded.
    """
    alone = current() is None
    call = captured(step, step.generator, lambda: step.stage.name) if alone else step
    if call is not step:
        call = with_samples(call, step)
    return call if augment is None else with_augmentation(call, augment.scaled(step.generator))


class Watch(Hooks):
    """Reports every epoch to the user and to scikit-learn's callbacks.

    Parameters
    ----------
    estimator : the estimator that is being fitted.
    run : the run of the training loop.
    shown : the data that scikit-learn's callbacks get, by name: X, and y if there are labels.
    results : called with the number of epochs so far; returns the fitted attributes that the
        estimator would have if training ended now.
    saver : what saves the state of the loop, or None.
    """

    def __init__(self, estimator, run, shown, results, saver=None):
        self.estimator, self.run, self.shown, self.results = estimator, run, shown, results
        self.saver, self.verbose = saver, estimator.verbose if is_first() else 0
        self.interrupted = False
        self.context = callback_context(estimator, run.n_epochs)
        self.context.call_on_fit_task_begin(estimator=estimator, **shown)
        self.bar = Bar(f"epochs of {type(estimator).__name__}", run.n_epochs if is_first() else 0)
        if self.verbose and run.n_done == 0:
            print(f"Scaling of X: {estimator.scaling_}")

    def go_on(self, loop):
        """Restore the state of a fit that was killed, if it was saved."""
        n_before = 0 if self.saver is None else self.saver.restore(loop)
        self.bar.advance(n_before)
        for _ in range(n_before):  # callbacks count epochs by these
            self.context.subcontext(task_name="epoch")
        if n_before and self.verbose:
            print(f"Going on after epoch {self.run.n_done + n_before}, from {self.saver.path}")

    def before_epoch(self, epoch):
        """Report the beginning of an epoch, counted from 0."""
        self.task = self.context.subcontext(task_name="epoch")
        self.task.call_on_fit_task_begin(estimator=self.estimator, **self.shown)

    def after_epoch(self, epoch, means):
        """Report the end of an epoch, with its mean losses; return whether a callback stops."""
        self.bar.advance()
        n_iter = self.run.n_done + epoch + 1
        if self.verbose:
            losses = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
            stage = self.run.history["stage"][-1]
            print(f"Epoch {n_iter}/{self.run.n_planned} ({stage}): {losses}")
        return self.task.call_on_fit_task_end(
            estimator=self.estimator,
            **self.shown,
            reconstruction_attributes=lambda: self.results(n_iter),
        )

    def on_return(self, error, epoch):
        """Print that an epoch diverged and is repeated."""
        if self.verbose:
            print(f"Diverged, as {error}; learning rates are now times {self.run.slowdown:.3g}")

    def on_interrupt(self, n_epochs):
        """Note that the user ended the training."""
        self.interrupted = True

    def after_all(self, loop):
        """Save the state of the loop."""
        if self.saver is not None:
            self.saver.after_epoch(loop, now=self.interrupted or loop.ended)

    def end(self, loop):
        """Report the end of the fit, and what went wrong in it."""
        # a warm start could not find the file again, as it would start from other weights
        if self.saver is not None and not (self.interrupted and not self.estimator.warm_start):
            self.saver.remove()
        if loop.returns:
            warn.of_divergences(loop.returns, self.run, self.estimator._settings)
        if self.interrupted:
            warn.of_interrupt(self.estimator.n_iter_, self.run.n_planned)
        self.context.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes={}, **self.shown
        )

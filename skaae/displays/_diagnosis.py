"""DiagnosisDisplay: the checks of a fitted estimator as bars."""

from __future__ import annotations

from skaae.diagnosis.diagnose import diagnose
from skaae.displays._display import Display, legend_beside

# Colours of the bars by status, and their names in the legend.
STATUS_COLORS = {"warning": "#ee6677", "note": "#ccbb44", "ok": "#4477aa"}
STATUS_NAMES = {"warning": "warning", "note": "not needed here", "ok": "fine"}
LONGEST = 2.0  # bars of graver findings end here


class DiagnosisDisplay(Display):
    """Bars of the checks of `diagnose`: how close each number is to its limit.

    A bar of length 0 is the value of an ideal model. A bar that reaches the dotted line is at the
    limit, from which on there is a warning. The longest bars end at twice the limit. Behind each
    bar stands its number beside the limit. Checks that do not apply are left out.

    Parameters
    ----------
    report : Diagnosis
        As from `diagnose`.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    diagnose : Runs the checks.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skaae import MLP, AAETransformer, DiagnosisDisplay
    >>> X, _ = load_wine(return_X_y=True)
    >>> network = MLP(weight_init="uniform")  # principal components need fewer epochs
    >>> aae = AAETransformer(network=network, max_iter=5, random_state=0).fit(X)
    >>> display = DiagnosisDisplay.from_estimator(aae, X)
    >>> "epochs" in [finding.name for finding in display.report.warnings]
    True
    """

    def __init__(self, report):
        self.report = report

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, X_val=None, y_val=None, random_state=0, ax=None, **style
    ):
        """Run the checks of a fitted estimator, and plot them.

        Parameters
        ----------
        estimator : fitted estimator of skaae
        X, y, X_val, y_val, random_state : see `diagnose`
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.
        **style : further keyword arguments of `ax.barh`, such as `height`

        Returns
        -------
        display : DiagnosisDisplay
        """
        how = {"X_val": X_val, "y_val": y_val, "random_state": random_state}
        return cls(diagnose(estimator, X, y, **how)).plot(ax, **style)

    def _size(self):
        return 7.0, 1.0 + 0.3 * max(3, len(self._shown()))

    def _shown(self):
        """Return the findings with a number."""
        return [finding for finding in self.report.findings if finding.value is not None]

    def _draw(self, ax, style):
        shown = self._shown()
        named = set()
        for place, finding in enumerate(shown):
            length, status = min(finding.severity, LONGEST), finding.status
            label = "_" if status in named else STATUS_NAMES[status]
            named.add(status)
            settings = {"height": 0.6, "color": STATUS_COLORS[status], "label": label}
            ax.barh(place, length, **{**settings, **style})
            ax.annotate(
                finding.comparison,
                (length, place),
                (4.0, 0.0),
                textcoords="offset points",
                va="center",
                fontsize="small",
                bbox={"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 1.0},
            )
        ax.axvline(1.0, color="0.6", linestyle=":", linewidth=1.0, zorder=0)
        ax.set_yticks(range(len(shown)), [finding.name for finding in shown])
        ax.set_xlim(0.0, LONGEST * 1.25)
        ax.set_xticks([0.0, 1.0], ["ideal", "limit"])
        ax.set_ylim(len(shown) - 0.4, -0.6)  # the first finding is the worst
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.set_title(self.report.estimator_name, loc="left", fontsize="medium")
        if shown:
            legend_beside(ax)

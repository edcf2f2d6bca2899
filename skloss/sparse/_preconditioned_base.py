"""What the preconditioned regressors share: options, phases, fitted attributes."""

import warnings
from numbers import Integral, Real
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval

from skloss.sparse._base import SparseLinear
from skloss.sparse._inputs import check_count_of_columns, warn_idle
from skloss.sparse._preconditioned_design import L1Design, PathPoint
from skloss.sparse._preconditioned_subset import best_subsets, by_size
from skloss.sparse.design_preconditioner import (
    SEARCH_CONSTRAINTS,
    DesignPreconditioner,
)

__all__ = ["BasePreconditioned", "FirstPhase"]


class FirstPhase(NamedTuple):
    """What is made of X alone.

    Parameters
    ----------
    preconditioner : DesignPreconditioner
        Fitted.
    design : L1Design
        On which the path runs.
    """

    preconditioner: DesignPreconditioner
    design: L1Design


class BasePreconditioned(CallbackSupportMixin, SparseLinear, BaseEstimator):
    """Options and fitted attributes of `PreconditionedLasso` and its CV variant."""

    _parameter_constraints: dict = SEARCH_CONSTRAINTS | {
        "penalize_pivots": ["boolean"],
        "l2": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
    }

    def _first_phase(self, sample, look, known=None):
        """Find the basis, and the design in it.

        Parameters
        ----------
        sample : Sample
            Data, of which y is not looked at.
        look : bool
            Whether there may be a round.
        known : DesignPreconditioner, default=None
            Fitted before, perhaps to this X.

        Returns
        -------
        FirstPhase
        """
        preconditioner = DesignPreconditioner(
            self.support_size,
            self.threshold,
            max_pivots=self.max_pivots,
            center=self.fit_intercept,
            random_state=self.random_state,
        )
        columns = preconditioner._find(sample.X, sample.weight, look=look, known=known)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(preconditioner, name, getattr(self, name))
        pivots = preconditioner.pivots_
        design = L1Design(
            columns,
            sample.weight,
            preconditioner._basis,
            preconditioner._usable,
            pivots[:0] if self.penalize_pivots else pivots,
        )
        return FirstPhase(preconditioner, design)

    def _linear(self, phase, solution, target, dtype):
        """Fitted attributes of the solution of a path, as a dictionary."""
        u = phase.design.preconditioned(solution.support, solution.values)
        w = phase.preconditioner._basis.apply(u[None])[0]
        return {"coef_preconditioned_": u.astype(dtype)} | self._attributes_of(
            w, phase.preconditioner.center_, target, dtype
        )

    def _attributes_of(self, w, center, target, dtype):
        kept = SimpleNamespace()
        SparseLinear._keep_scores(kept, w, target.mean, center, dtype)
        return vars(kept)

    def _reporter(self, progress, alphas, phase, n_before=0, n_fits=None):
        """Return a function that reports the fits to all rows to callbacks."""

        def report(number, solved):
            if number != 0:
                return False
            fit, n_iter = solved[-1], n_before + len(solved)
            point = PathPoint(
                n_iter,
                float(alphas[len(solved) - 1]),
                fit.objective,
                fit.support.size,
                fit.dual_gap,
                fit,
                phase,
                n_iter == n_fits,
            )
            return progress(point)

        return report

    def _check_subset(self, sample):
        given = self.n_nonzero_coefs
        if given is None and self.l2 > 0:
            use = "the subset that n_nonzero_coefs asks for"
            warn_idle("l2", self.l2, "n_nonzero_coefs=None", use)
        if given is not None and not isinstance(given, str):
            n_rows = np.count_nonzero(sample.weight)
            check_count_of_columns("n_nonzero_coefs", given, n_rows, sample.X.shape[1])

    def _keep_subset(self, sample, target, phase, size):
        """Replace the coefficients by those of the best subset found from them."""
        u = np.asarray(self.coef_preconditioned_, dtype=np.float64)
        w = phase.preconditioner._basis.apply(u[None])[0]
        order = by_size(w, phase.preconditioner.scale_)
        subsets = best_subsets(
            sample.X,
            sample.y,
            sample.weight,
            order,
            size,
            center=self.fit_intercept,
            l2=self.l2,
        )
        vars(self).update(
            self._attributes_of(
                subsets.coef(size),
                phase.preconditioner.center_,
                target,
                sample.dtype,
            )
        )


def warn_of_gaps(estimator, solutions, target):
    """Warn if solutions missed the tolerance."""
    missed = [s.dual_gap for s in solutions if not s.converged]
    if not missed:
        return
    square = float(target.weight @ np.square(target.y))
    allowed = estimator.tol * square
    warnings.warn(
        f"{type(estimator).__name__}: {len(missed)} of {len(solutions)} fits stopped "
        f"with duality gaps of up to {max(missed):.3g}, above the {allowed:.3g} that "
        f"tol={estimator.tol} allows. Raise max_iter, tol or alpha.",
        ConvergenceWarning,
        stacklevel=4,
    )

"""From public scores to class probabilities, for each family."""

import numpy as np
from scipy.special import log_softmax

from skloss._jit import kernel
from skloss.losses.links import get_link, log_cdf, log_survival
from skloss.losses.ordinal_passes import class_probabilities, survivals
from skloss.ordinal._links import mirrored
from skloss.ordinal._repair import crossing_rows, repair

__all__ = [
    "class_log_probabilities",
    "class_probability_rows",
    "cumulative_rows",
    "log_odds",
    "signed_rows",
]


def signed_rows(g, *, link, reverse):
    """Class probabilities of a cumulative model, negative where scores cross.

    Parameters
    ----------
    g : ndarray of shape (n, m)
        Scores of "y > k".
    link : str or named tuple
        Link.
    reverse : bool
        Whether F gives P(y > k) rather than P(y <= k).

    Returns
    -------
    ndarray of shape (n, m + 1)
    """
    out = np.empty((g.shape[0], g.shape[1] + 1))
    class_probabilities(_cumulative_link(link, reverse), -g, out)
    return out


def cumulative_rows(g, *, family, link, reverse):
    """P(y > k) of every threshold, as the scores say, in order or not.

    Parameters
    ----------
    g : ndarray of shape (n, m)
        Scores of "y > k".
    family, link, reverse
        The model.

    Returns
    -------
    ndarray of shape (n, m)
    """
    if family == "cumulative":
        out = np.empty_like(g)
        survivals(_cumulative_link(link, reverse), -g, out)
        return out
    P = np.exp(class_log_probabilities(g, family=family, link=link, reverse=reverse))
    return np.minimum(np.cumsum(P[:, :0:-1], axis=1)[:, ::-1], 1.0)


def class_probability_rows(g, *, family, link, reverse, how):
    """Class probabilities, repaired where scores cross.

    Parameters
    ----------
    g : ndarray of shape (n, m)
        Scores of "y > k".
    family, link, reverse
        The model.
    how : str
        See `skloss.ordinal._repair.repair`.

    Returns
    -------
    ndarray of shape (n, m + 1)
    """
    if family == "cumulative":
        signed = signed_rows(g, link=link, reverse=reverse)
        if signed.min(initial=0.0) >= 0.0:
            return signed
        crossed = crossing_rows(signed)
        survival = np.zeros_like(g)  # in other rows nobody looks at it
        survival[crossed] = cumulative_rows(
            g[crossed], family=family, link=link, reverse=reverse
        )
        return repair(signed, survival, how)
    P = np.exp(class_log_probabilities(g, family=family, link=link, reverse=reverse))
    return P / P.sum(axis=1, keepdims=True)


def class_log_probabilities(g, *, family, link, reverse):
    """Log-probabilities of the classes of a model whose scores cannot cross.

    Parameters
    ----------
    g : ndarray of shape (n, m)
        Scores of "y > k".
    family : {"stopping", "continuation", "adjacent"}
        Family.
    link : str or named tuple
        Link.
    reverse : bool
        Whether the model runs from the last class to the first.

    Returns
    -------
    ndarray of shape (n, m + 1)
    """
    if family == "adjacent":  # the same model in both directions
        steps = np.cumsum(g, axis=1)
        return log_softmax(np.pad(steps, ((0, 0), (1, 0))), axis=1)
    link = get_link(link)
    if family == "continuation":
        link = mirrored(link)
    eta = np.ascontiguousarray(g[:, ::-1] if reverse else -g)
    out = np.empty((g.shape[0], g.shape[1] + 1))
    _stopping_rows(link, eta, out)
    return np.ascontiguousarray(out[:, ::-1]) if reverse else out


def log_odds(g, *, family, link, reverse):
    """Log-odds of the second of two classes.

    Parameters
    ----------
    g : ndarray of shape (n, 1)
        Scores.
    family, link, reverse
        The model.

    Returns
    -------
    ndarray of shape (n, 1)
    """
    # With two classes a cumulative model is a stopping model.
    family = "stopping" if family == "cumulative" else family
    logs = class_log_probabilities(g, family=family, link=link, reverse=reverse)
    return logs[:, 1:] - logs[:, :1]


def _cumulative_link(link, reverse):
    link = get_link(link)
    return mirrored(link) if reverse else link


@kernel
def _stopping_rows(link, eta, out):
    """Log-probabilities of stopping at each class."""
    m = eta.shape[1]
    for i in range(len(eta)):
        reached = 0.0
        for k in range(m):
            out[i, k] = reached + log_cdf(link, eta[i, k])
            reached += log_survival(link, eta[i, k])
        out[i, m] = reached

"""The bound of stability selection as a plain function."""

from numbers import Integral, Real

from skloss.sparse._error_control import ASSUMPTIONS, expected_false_bound

__all__ = ["stability_bound"]


def stability_bound(
    n_features,
    n_features_per_half,
    threshold=0.9,
    *,
    n_pairs=50,
    assumption="r_concave",
):
    """Bound the expected number of features that are selected wrongly.

    Parameters
    ----------
    n_features : int
        Number of features that are neither constant nor equal to others.
    n_features_per_half : int
        Largest number of features noted on a half.
    threshold : float, default=0.9
        Share of the halves that must note a feature, above 0.5 and at most 1.
    n_pairs : int, default=50
        Number of pairs of halves.
    assumption : {"r_concave", "unimodal", "none"}, default="r_concave"
        What is assumed of the distribution of frequencies; see `StabilitySelector`.

    Returns
    -------
    float
        The bound, at most `n_features`.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    R. D. Shah, R. J. Samworth, "Variable selection with error control: another look at
    stability selection", JRSS B 75(1), 2013.

    Examples
    --------
    >>> from skloss.sparse.stability_theory import stability_bound
    >>> for assumption in ("r_concave", "unimodal", "none"):
    ...     print(f"{stability_bound(1000, 50, assumption=assumption):.3f}")
    0.170
    1.078
    3.125
    """
    for name, value in (
        ("n_features", n_features),
        ("n_features_per_half", n_features_per_half),
        ("n_pairs", n_pairs),
    ):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be an integer of at least 1; got {value!r}.")
    if n_features_per_half > n_features:
        raise ValueError(
            f"n_features_per_half must be at most n_features={n_features}; got "
            f"{n_features_per_half}."
        )
    if not isinstance(threshold, Real) or not 0.5 < threshold <= 1:
        raise ValueError(
            f"threshold must be above 0.5 and at most 1; got {threshold!r}."
        )
    if assumption not in ASSUMPTIONS:
        raise ValueError(
            f"assumption must be one of {ASSUMPTIONS}; got {assumption!r}."
        )
    return expected_false_bound(
        int(n_features_per_half), int(n_features), threshold, int(n_pairs), assumption
    )

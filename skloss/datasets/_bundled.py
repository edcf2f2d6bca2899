"""Data sets by name: tables shipped with this package and with scikit-learn."""

from functools import cache
from importlib import resources
from textwrap import fill

import numpy as np
import sklearn.datasets
from sklearn.utils import Bunch

from skloss.datasets._files import read_sources, read_table

_FOLDER = resources.files("skloss.datasets") / "data"
_FROM_SKLEARN = {
    "breast_cancer": sklearn.datasets.load_breast_cancer,
    "diabetes": sklearn.datasets.load_diabetes,
    "digits": sklearn.datasets.load_digits,
    "iris": sklearn.datasets.load_iris,
    "wine": sklearn.datasets.load_wine,
}


@cache
def _catalogue():
    return read_sources(_FOLDER / "SOURCES.md")


def _facts(name):
    try:
        return _catalogue()[name]
    except (KeyError, TypeError):
        raise ValueError(
            f"name={name!r} is not a bundled data set; choose one of "
            f"{', '.join(list_datasets())}."
        ) from None


def list_datasets(task=None):
    """List the names of the data sets that `load` knows, in alphabetical order.

    Parameters
    ----------
    task : {"classification", "ordinal", "regression"}, default=None
        Keep only the data sets of this task; ``None`` keeps all.

    Returns
    -------
    names : list of str
        The names; empty when no bundled data set serves the task.

    Examples
    --------
    >>> from skloss.datasets import list_datasets
    >>> list_datasets("ordinal")
    ['anes96']
    """
    return sorted(
        name for name, facts in _catalogue().items() if task in (None, facts.task)
    )


def describe(name=None):
    """Tell what is known about one data set, or list all in a table.

    Parameters
    ----------
    name : str, default=None
        One of `list_datasets`; ``None`` gives one line per data set: name, task,
        number of samples and of features, title.

    Returns
    -------
    text : str
        Plain text: for one data set its title, task, source, licence and description.

    Raises
    ------
    ValueError
        If ``name`` is not a bundled data set.

    Examples
    --------
    >>> from skloss.datasets import describe
    >>> print(describe("iris"))
    Iris plants
    <BLANKLINE>
    Task: classification
    Source: scikit-learn (`sklearn.datasets.load_iris`), from UCI,
      https://doi.org/10.24432/C56C76
    Licence: CC BY 4.0
    <BLANKLINE>
    Three species, 150 plants, four measurements in centimetres.
    """
    if name is None:
        return "\n".join(map(_summary, list_datasets()))
    facts = _facts(name)
    fields = [
        fill(f"{label}: {value}", 80, subsequent_indent="  ", break_long_words=False)
        for label, value in (
            ("Task", facts.task),
            ("Source", facts.source),
            ("Licence", facts.licence),
            ("Classes", "; ".join(f"{k} {v}" for k, v in facts.classes.items())),
        )
        if value
    ]
    return "\n\n".join([facts.title, "\n".join(fields), facts.description])


def _summary(name):
    facts = _facts(name)
    n_samples, n_features = load(name, as_frame=False).data.shape
    size = f"{n_samples} x {n_features}"
    return f"{name:<14}{facts.task:<15}{size:>11}  {facts.title}"


def load(name, *, as_frame="auto", return_X_y=False):
    """Load a bundled data set; nothing is downloaded.

    Parameters
    ----------
    name : str
        One of `list_datasets`.
    as_frame : bool or "auto", default="auto"
        ``True`` returns a pandas DataFrame and Series, ``False`` NumPy arrays,
        ``"auto"`` pandas objects where pandas is installed and arrays elsewhere.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of the Bunch.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : DataFrame or ndarray of shape (n_samples, n_features)
            The features, float64, as in the source: neither centred nor scaled.
        target : Series or ndarray of shape (n_samples,)
            Integer labels, or floats for regression. In a frame the target of an
            ordinal task is an ordered categorical of integers.
        task : str
            "classification", "ordinal" or "regression".
        name, title, source, licence, DESCR : str
            What the data are, where they come from, and under which licence.
        feature_names : list of str
            Names of the columns.
        target_names : list of str or None
            The meaning of each label in increasing order; ``None`` where the label
            says it all.

    Raises
    ------
    ValueError
        If ``name`` is not a bundled data set or ``as_frame`` is none of the above.
    ImportError
        If ``as_frame=True`` and pandas is not installed.

    Examples
    --------
    >>> from skloss.datasets import load
    >>> vowel = load("vowel", as_frame=False)
    >>> vowel.data.shape, vowel.task, vowel.licence
    ((990, 10), 'classification', 'CC BY 4.0')
    """
    facts = _facts(name)
    pandas = _pandas(as_frame)
    if name in _FROM_SKLEARN:
        data, target, features, labels, target_name = _from_sklearn(name)
    else:
        data, target, features, labels, target_name = _from_file(name, facts)
    if pandas is not None:
        data = pandas.DataFrame(data, columns=features)
        if facts.task == "ordinal":
            target = pandas.Categorical(target, ordered=True)
        target = pandas.Series(target, name=target_name)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        task=facts.task,
        name=name,
        title=facts.title,
        source=facts.source,
        licence=facts.licence,
        feature_names=features,
        target_names=labels,
        DESCR=describe(name),
    )


def _from_sklearn(name):
    bunch = _FROM_SKLEARN[name]()
    labels = bunch.get("target_names")
    if name == "digits":
        labels = None
    elif labels is not None:
        labels = [str(label) for label in labels]
    data = np.ascontiguousarray(bunch.data)
    return data, bunch.target, list(bunch.feature_names), labels, "target"


def _from_file(name, facts):
    table = read_table(_FOLDER / f"{name}.csv.gz")
    kept = [c for c, column in enumerate(table.columns) if column not in facts.left_out]
    features = [table.columns[c] for c in kept]
    labels = [facts.classes[label] for label in sorted(facts.classes)] or None
    data = np.ascontiguousarray(table.X[:, kept])
    return data, table.y, features, labels, table.target


def _pandas(as_frame):
    """Return pandas where frames are wanted, else None."""
    if as_frame not in (True, False, "auto"):
        raise ValueError(f"as_frame={as_frame!r} is not True, False or 'auto'.")
    if as_frame is False:
        return None
    try:
        import pandas
    except ImportError:
        if as_frame is True:
            raise ImportError(
                "as_frame=True needs pandas: install it, or skloss[compare], or "
                "pass as_frame=False."
            ) from None
        return None
    return pandas

"""Errors that one line explains."""

import difflib
import importlib

__all__ = ["InputError", "MissingExtra", "first_line", "require", "suggestion"]


class InputError(ValueError):
    """Bad input, explained in one line.

    Parameters
    ----------
    message : str
        What is wrong and what is allowed.
    parameter : str, default=None
        The argument at fault; the command line names its option instead.

    Examples
    --------
    >>> from skloss.compare import InputError, compare
    >>> try:
    ...     compare([[1.0], [2.0]], n_folds=1)
    ... except InputError as error:
    ...     print(error)
    n_folds must be a whole number of at least 2, got 1
    """

    def __init__(self, message, parameter=None):
        super().__init__(message)
        self.parameter = parameter


class MissingExtra(ImportError):
    """A package of the extra ``compare`` is not installed."""


def require(name):
    """Import a package of the extra ``compare``, or say which extra is missing.

    Parameters
    ----------
    name : str
        Dotted name of the module.

    Returns
    -------
    module

    Raises
    ------
    MissingExtra
        When the package is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        raise MissingExtra(
            f"this needs {package}, which is not installed; "
            'run: pip install "skloss[compare]"'
        ) from error


def suggestion(name, choices):
    """Ask in brackets whether the most similar choice was meant.

    Parameters
    ----------
    name : str
    choices : iterable of str

    Returns
    -------
    str
        Empty when none is similar; begins with a space otherwise.

    Examples
    --------
    >>> from skloss.compare.errors import suggestion
    >>> suggestion("Winee", ["iris", "wine"])
    " (did you mean 'wine'?)"
    """
    known = {str(choice).strip().casefold(): str(choice) for choice in choices}
    close = difflib.get_close_matches(str(name).strip().casefold(), known, n=1)
    return f" (did you mean {known[close[0]]!r}?)" if close else ""


def first_line(error, width=160):
    """Type and first line of an error's message, cut to a width.

    Parameters
    ----------
    error : Exception
    width : int, default=160
        Most characters to keep.

    Returns
    -------
    str
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text if len(text) <= width else text[: width - 1] + "…"

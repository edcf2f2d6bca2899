"""Code and commands that a reader can run again."""

import inspect
import shlex

from sklearn.base import clone

__all__ = ["estimator_code", "rerun_call", "rerun_command", "winner_code"]


def rerun_command(options):
    """Write the command line that repeats a run.

    Parameters
    ----------
    options : dict
        Option to value; None and False are left out, True stands alone.

    Returns
    -------
    str
    """
    words = ["python", "-m", "skloss", "compare"]
    for option, value in options.items():
        if value is None or value is False:
            continue
        words.append(option)
        if value is not True:
            words.append(str(value))
    return shlex.join(words)


def estimator_code(estimator):
    """Write imports and an expression that make an estimator.

    Parameters
    ----------
    estimator : estimator

    Returns
    -------
    imports : list of str
    expression : str
        None when some parameter cannot be written as code.
    """
    imports = set()
    expression = _expression(estimator, imports)
    return sorted(imports), expression


def _expression(value, imports):
    if hasattr(value, "get_params") and not inspect.isclass(value):
        return _call(value, imports)
    if isinstance(value, (list, tuple)):
        parts = [_expression(item, imports) for item in value]
        if None in parts:
            return None
        inner = ", ".join(parts)
        if isinstance(value, list):
            return f"[{inner}]"
        if hasattr(value, "_fields"):
            return None
        return f"({inner},)" if len(parts) == 1 else f"({inner})"
    if value is None or isinstance(value, (bool, int, float, str)):
        return f"float({str(value)!r})" if value != value else repr(value)
    return None


def _call(estimator, imports):
    """Write a constructor call with the parameters that differ from defaults."""
    cls = type(estimator)
    imports.add(f"from {_public_module(cls)} import {cls.__name__}")
    arguments = []
    for name, parameter in inspect.signature(cls.__init__).parameters.items():
        if name == "self":
            continue
        value = estimator.get_params(deep=False).get(name)
        if value is parameter.default or _equal(value, parameter.default):
            continue
        text = _expression(value, imports)
        if text is None:
            return None
        keyword = parameter.kind is parameter.KEYWORD_ONLY or arguments_named(cls)
        arguments.append(f"{name}={text}" if keyword else text)
    return f"{cls.__name__}({', '.join(arguments)})"


def arguments_named(cls):
    """Whether parameters are written with their names.

    Parameters
    ----------
    cls : type

    Returns
    -------
    bool
        False for wrappers with one positional parameter, which read better without.
    """
    names = list(inspect.signature(cls.__init__).parameters)[1:]
    return names != ["estimator"]


def _equal(value, default):
    try:
        return type(value) is type(default) and bool(value == default)
    except ValueError:
        return False


def _public_module(cls):
    """Shortest public module that offers a class."""
    module = cls.__module__
    parts = module.split(".")
    public = []
    for part in parts:
        if part.startswith("_"):
            break
        public.append(part)
    for length in range(1, len(public) + 1):
        name = ".".join(public[:length])
        try:
            home = __import__(name, fromlist=["_"])
        except ImportError:
            continue
        if getattr(home, cls.__name__, None) is cls:
            return name
    return module


def winner_code(comparison):
    """Lines that fit the winner on all rows and predict, ready to paste.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
        At most six lines that run, for models written as one class; models of
        several parts need one import for each part.
    """
    record = comparison._winning_record()
    if record is None:
        return "# no model finished"
    # Estimators inside the best parameters must be fresh, as must the estimator.
    model = clone(record.model.estimator).set_params(**record.most_chosen())
    imports, expression = estimator_code(model)
    if expression is None:
        return "model = comparison.best_estimator_\nprint(model.predict(X.head()))"
    loader, load_imports = _loading(comparison)
    imports += load_imports
    prepared = f"prepare({expression}, X{', scale=True' * record.model.scale})"
    if comparison.task == "clustering":
        fit = [f"print({prepared}.fit_predict(X))"]
    else:
        bags = ""
        if comparison._problem.bags is not None and _takes_bags(model):
            bags = f", {type(model).__name__.lower()}__bags=bags"
        fit = [f"model = {prepared}.fit(X, y{bags})", "print(model.predict(X.head()))"]
    return "\n".join(_merge_imports(imports) + loader + fit)


def _takes_bags(model):
    from skloss.compare.trials import _bag_argument

    return _bag_argument(model) is not None


def _merge_imports(lines):
    """One line for each module."""
    modules = {}
    for line in lines:
        module, _, name = line.removeprefix("from ").partition(" import ")
        modules.setdefault(module, set()).update(name.split(", "))
    return [
        f"from {m} import {', '.join(sorted(n))}" for m, n in sorted(modules.items())
    ]


def _loading(comparison):
    """Lines that bring X and y, and their imports."""
    source = comparison._source
    prepare = ["from skloss.compare import prepare"]
    target = comparison._problem.y is not None
    if source.get("file"):
        arguments = [repr(source["file"])]
        for name in ("target", "bags"):
            if source.get(name) is not None:
                arguments.append(f"{name}={source[name]!r}")
        names = "X" + ", y" * target + ", bags" * (source.get("bags") is not None)
        code = [f"{names} = load_table({', '.join(arguments)})"]
        return code, [*prepare, "from skloss.compare import load_table"]
    if source.get("dataset"):
        load = f"load({source['dataset']!r}, return_X_y=True)"
        code = [f"X, y = {load}" if target else f"X, _ = {load}"]
        return code, [*prepare, "from skloss.datasets import load"]
    given = "X and y: the table and target" if target else "X: the table"
    return [f"# {given} given to compare"], prepare


def rerun_call(comparison):
    """Write the call of ``compare`` that repeats a run made from Python.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
    """
    settings = dict(comparison._settings)
    arguments = ["X"] if comparison._problem.y is None else ["X", "y"]
    arguments.append(f"task={comparison.task!r}")
    arguments += [
        f"{name}={value!r}" for name, value in settings.items() if value is not None
    ]
    return f"compare({', '.join(arguments)})"

"""The command line: ``skloss`` and ``python -m skloss``."""

import argparse
import codecs
import sys

from skloss import __version__

__all__ = ["main"]

_DESCRIPTION = (
    "Estimators defined by the loss they minimise, beside scikit-learn's own."
)
_EXAMPLES = """\
examples:
  skloss compare
      bundled real data; shows what the report looks like
  skloss compare --data flowers.csv --target species
      your table: the task is inferred, every model tuned on equal terms
  skloss compare --data survey.parquet --target answer --order "no,maybe,yes"
      ordered classes
  skloss compare --dataset vowel --estimators MultinomialLogistic --repeats 10
      one estimator against the built-in ones
  skloss compare --data prices.csv --target price --estimators sklearn.svm:SVR
      any scikit-learn estimator on our side
  skloss list
  skloss warmup
      compile everything once, for images and continuous integration
"""
_EXIT_CODES = """\
exit codes:
  0 done; 2 bad input; 3 some estimators failed or got no result in time (those
  left out as too slow for it apart);
  130 interrupted, what was finished is reported
"""
# Argument of compare() -> option to blame.
_OPTIONS = {
    "X": "--data",
    "data": "--data",
    "y": "--target",
    "target": "--target",
    "n_repeats": "--repeats",
    "n_folds": "--folds",
    "random_state": "--seed",
    "baselines": "--estimators",
    "n_jobs": "--jobs",
    "family": "family",
}
# What a console without these signs shows, one letter for one.
_PLAIN = {"±": "~", "×": "x", "·": "-", "–": "-", "≤": "<", "²": "2", "µ": "u"}
_PLAIN |= {"─": "-", "…": "."}


class _Parser(argparse.ArgumentParser):
    """A parser that explains bad input in one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def _parser():
    parser = _Parser(
        prog="skloss",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skloss {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    _add_compare(commands)
    commands.add_parser(
        "list", help="families and estimators, and the task each one serves"
    )
    warmup = commands.add_parser(
        "warmup", help="compile kernels once, so that no later fit has to"
    )
    warmup.add_argument("family", nargs="*", help="all families by default")
    return parser


def _add_compare(commands):
    compare = commands.add_parser(
        "compare",
        help="compare estimators on a table, on equal terms",
        description="Compare skloss with scikit-learn's own models on a table. Without "
        "--data or --dataset, bundled data sets are used.",
        epilog=_EXAMPLES + "\n" + _EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    data = compare.add_argument_group("data")
    data.add_argument("--data", metavar="FILE", help="CSV, Parquet or Arrow")
    data.add_argument("--target", metavar="COL", help="column to predict")
    data.add_argument("--dataset", metavar="NAME", help="a bundled data set")
    data.add_argument("--bags", metavar="COL", help="column that names bags of rows")
    data.add_argument("--order", metavar='"low,mid,high"', help="order of the classes")
    data.add_argument(
        "--max-rows",
        type=int,
        default=20_000,
        metavar="N",
        help="larger tables are sampled",
    )
    models = compare.add_argument_group("models and protocol")
    models.add_argument(
        "--task",
        default="auto",
        metavar="TASK",
        help="classification, ordinal, regression, sparse, aggregate or clustering; "
        "inferred by default",
    )
    models.add_argument(
        "--estimators", metavar="A,B", help="registered names or module:Class"
    )
    models.add_argument("--scoring", metavar="NAME", help="score that decides")
    models.add_argument("--repeats", type=int, default=5, metavar="N")
    models.add_argument("--folds", type=int, default=2, metavar="N")
    models.add_argument(
        "--time-budget",
        type=float,
        default=60,
        metavar="SECONDS",
        help="for everything; compiling is not counted",
    )
    models.add_argument("--seed", type=int, default=0, metavar="N")
    models.add_argument("--jobs", type=int, metavar="N", help="processes for tuning")
    output = compare.add_argument_group("output")
    output.add_argument("--report", default="report.html", metavar="FILE")
    output.add_argument("--no-report", action="store_true")
    output.add_argument("--json", metavar="FILE", help="also write all tables as JSON")


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments; those of the process by default.

    Returns
    -------
    int
        Exit code: 0 done; 2 bad input; 3 some estimators failed or got no result in
        the time allowed;
        130 interrupted.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 0
    for stream in (sys.stdout, sys.stderr):
        # Scores are shown with ± and ×, which not every console's encoding has.
        if hasattr(stream, "reconfigure"):
            codecs.register_error("skloss.plain", _plain)
            stream.reconfigure(errors="skloss.plain")
    try:
        return _dispatch(arguments)
    except KeyboardInterrupt:
        print("skloss: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        from skloss.compare.terminal import discard_output

        discard_output()
        return 0
    except Exception as error:
        return _explain(error, arguments.command)


def _plain(error):
    """Replace what cannot be encoded, letter by letter, so that columns stay."""
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(letter, "?") for letter in text), error.end


def _dispatch(arguments):
    if arguments.command == "compare":
        from skloss.compare.commands import run_compare

        return run_compare(arguments)
    if arguments.command == "list":
        from skloss.compare.commands import run_list

        return run_list()
    from skloss.compare.warmup import run_warmup

    return run_warmup(arguments.family)


def _explain(error, command):
    """One line for bad input; anything else is a bug and keeps its traceback."""
    from skloss.compare.errors import InputError, MissingExtra

    if not isinstance(error, (InputError, MissingExtra)):
        raise error
    name = getattr(error, "parameter", None)
    option = _OPTIONS.get(name, f"--{name.replace('_', '-')}") if name else ""
    where = f"argument {option}: " if option else ""
    print(f"skloss {command}: {where}{error}", file=sys.stderr)
    return 2

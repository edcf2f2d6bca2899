"""Whole real data sets for tests and benchmarks, exactly as in the source.

``load(name)`` returns ``(X, y)``: X (n_samples, n_columns) float64 with every column
of the source, y integer labels, or capital letters for "letter". Import this file by
its path; sources and licences are in the SOURCES.md beside each file.
"""

from importlib import resources
from pathlib import Path

from skloss.datasets._files import read_table

_PACKAGED = resources.files("skloss.datasets") / "data"
_HERE = Path(__file__).parent
_FOLDERS = {
    "letter": _HERE,
    "optdigits": _HERE,
    "penbased": _PACKAGED,
    "satimage": _PACKAGED,
    "segment": _PACKAGED,
    "texture": _HERE,
    "vowel": _PACKAGED,
}
NAMES = tuple(_FOLDERS)


def load(name):
    table = read_table(_FOLDERS[name] / f"{name}.csv.gz")
    return table.X, table.y

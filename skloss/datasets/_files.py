"""The two file formats of the data folders: gzip CSV tables and SOURCES.md."""

import gzip
import re
from typing import NamedTuple

import numpy as np


class Table(NamedTuple):
    """A CSV file as arrays: all columns but the last, and the last.

    ``columns`` names the columns of ``X`` (n_samples, n_columns), float64; ``y``
    (n_samples,) holds integers where all labels are integers, strings elsewhere.
    """

    columns: list[str]
    X: np.ndarray
    target: str
    y: np.ndarray


class Facts(NamedTuple):
    """One section of SOURCES.md."""

    title: str
    task: str
    source: str
    licence: str
    classes: dict[int, str]
    left_out: tuple[str, ...]
    description: str


def read_table(path):
    """Read a gzip-compressed CSV file whose last column is the target."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        *columns, target = next(file).rstrip("\n").split(",")
        rows = file.read().splitlines()
    X = np.loadtxt(rows, delimiter=",", usecols=range(len(columns)), ndmin=2)
    y = np.array([row.rpartition(",")[2] for row in rows])
    if all(label.lstrip("-").isdigit() for label in np.unique(y)):
        y = y.astype(np.int64)
    return Table(columns, X, target, y)


def read_sources(path):
    """Read SOURCES.md into a dictionary from data-set name to `Facts`."""
    _, *sections = path.read_text(encoding="utf-8").split("\n## ")
    return dict(_read_section(section) for section in sections)


def _read_section(section):
    name, items, text = section.strip().split("\n\n", 2)
    fields = dict(re.findall(r"^- (.+?): (.+)$", items, flags=re.MULTILINE))
    classes = {}
    if "Classes" in fields:
        for entry in fields["Classes"].split("; "):
            label, meaning = entry.split(" ", 1)
            classes[int(label)] = meaning
    left_out = fields["Left out"].split(", ") if "Left out" in fields else ()
    return name, Facts(
        title=fields["Title"],
        task=fields["Task"],
        source=fields["Source"],
        licence=fields["Licence"],
        classes=classes,
        left_out=tuple(left_out),
        description=text,
    )

"""What a run finds out: about each model, and altogether."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

__all__ = ["FEW_SPLITS", "Record", "Run"]

# Splits without which a test says nothing.
FEW_SPLITS = 3


@dataclass
class Record:
    """Everything that was found out about one model.

    Attributes
    ----------
    model : Model
    n_candidates : int
        Candidates tried on every split, the defaults included; 0 when none could be.
    default, tuned : dict of int to dict
        Split to scores.
    chosen : dict of int to dict
        Split to the parameters the inner search chose.
    fit_seconds, predict_seconds : dict of int to float
    outcomes : dict of int to Outcome
        Of the first repeat, for the figures.
    faults : dict of int to str
        Candidates that failed in the inner search, and how.
    """

    model: object
    n_candidates: int = 0
    default: dict = field(default_factory=dict)
    tuned: dict = field(default_factory=dict)
    chosen: dict = field(default_factory=dict)
    fit_seconds: dict = field(default_factory=dict)
    predict_seconds: dict = field(default_factory=dict)
    outcomes: dict = field(default_factory=dict)
    faults: dict = field(default_factory=dict)
    sizes: list = field(default_factory=list)
    size_unit: str = None
    certificate: str = ""
    cost: float = 0.0
    predicted: float = 0.0
    compile_seconds: float = np.nan
    peak_memory: float = np.nan
    warnings: Counter = field(default_factory=Counter)
    unconverged: int = 0
    error: str = ""
    stopped: str = ""
    shortened: int = 0
    cell_seconds: list = field(default_factory=list)

    @property
    def active(self):
        """Whether the model still takes part."""
        return not (self.error or self.stopped or self.model.problem)

    @property
    def curtailed(self):
        """Whether the time budget shortened the search."""
        wanted = len(self.model.candidates)
        return bool(self.tuned) and wanted > 1 and self.n_candidates < wanted

    def most_chosen(self):
        """Parameters chosen on most splits, the earliest among equals."""
        if not self.chosen:
            return {}
        chosen = list(self.chosen.values())
        return max(chosen, key=chosen.count)


@dataclass
class Run:
    """Outcome of the protocol.

    Attributes
    ----------
    records : list of Record
    splits : list of (ndarray, ndarray)
    seconds, compiling : float
        Time spent, and time numba's compiler took besides.
    interrupted, out_of_time : bool
    one_thread : bool
        Whether fits were kept to one thread of BLAS and OpenMP.
    """

    records: list
    splits: list
    seconds: float = 0.0
    compiling: float = 0.0
    interrupted: bool = False
    out_of_time: bool = False
    one_thread: bool = False

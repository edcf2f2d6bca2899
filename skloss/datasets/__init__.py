"""Small real data sets and generators of synthetic designs, all offline.

`load` returns a bundled table by name, `list_datasets` the names and `describe` what
is known about them, licence included. `make_regime_mixture` draws the Gaussian
mixture on which naive Bayes needs few samples and logistic regression many,
`make_rare_ordinal` ordered classes of which the last ones are rare.
"""

from skloss.datasets._bundled import describe, list_datasets, load
from skloss.datasets._generators import make_rare_ordinal, make_regime_mixture

__all__ = [
    "describe",
    "list_datasets",
    "load",
    "make_rare_ordinal",
    "make_regime_mixture",
]

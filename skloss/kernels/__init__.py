"""Distances and kernels between rows, in blocks, and limits of random features.

Names are loaded on first use.
"""

import importlib

# Public name -> module that defines it.
_HOMES = {
    "CandidateRows": "skloss.kernels.candidate_rows",
    "ComputedCandidates": "skloss.kernels.candidate_rows",
    "CondensedCandidates": "skloss.kernels.candidate_rows",
    "DissimilarityFacts": "skloss.kernels.dissimilarities",
    "METRICS": "skloss.kernels.metrics",
    "Metric": "skloss.kernels.metrics",
    "StoredCandidates": "skloss.kernels.candidate_rows",
    "check_dissimilarities": "skloss.kernels.dissimilarities",
    "condense": "skloss.kernels.dissimilarities",
    "cross_distances": "skloss.kernels.metrics",
    "dual_activation": "skloss.kernels.dual_activations",
    "dual_diagonal": "skloss.kernels.dual_activations",
    "find_metric": "skloss.kernels.metrics",
    "known_activations": "skloss.kernels.dual_activations",
    "known_metrics": "skloss.kernels.metrics",
    "prepare": "skloss.kernels.metrics",
    "stored": "skloss.kernels.dissimilarities",
}

__all__ = [
    "METRICS",
    "CandidateRows",
    "ComputedCandidates",
    "CondensedCandidates",
    "DissimilarityFacts",
    "Metric",
    "StoredCandidates",
    "check_dissimilarities",
    "condense",
    "cross_distances",
    "dual_activation",
    "dual_diagonal",
    "find_metric",
    "known_activations",
    "known_metrics",
    "prepare",
    "stored",
]


def __getattr__(name):
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'skloss.kernels' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})

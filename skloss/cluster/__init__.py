"""k-medoids clustering: samples that represent all the others.

Names are loaded on first use.
"""

import importlib

# Public name -> module that defines it.
_HOMES = {
    "CLARA": "skloss.cluster.clara",
    "CLARANS": "skloss.cluster.clarans",
    "KMedoids": "skloss.cluster.kmedoids",
    "KSelectionDisplay": "skloss.cluster.display",
    "LossCurveDisplay": "skloss.cluster.display",
    "MedoidCurve": "skloss.cluster.k_selection",
    "MedoidSilhouetteDisplay": "skloss.cluster.display",
    "k_medoids": "skloss.cluster.matrix",
    "k_medoids_bound": "skloss.cluster._bound",
    "medoid_curve": "skloss.cluster.k_selection",
    "medoid_silhouette_samples": "skloss.cluster.medoid_silhouette",
    "medoid_silhouette_score": "skloss.cluster.medoid_silhouette",
    "pam_build": "skloss.cluster.matrix",
}

__all__ = [
    "CLARA",
    "CLARANS",
    "KMedoids",
    "KSelectionDisplay",
    "LossCurveDisplay",
    "MedoidCurve",
    "MedoidSilhouetteDisplay",
    "k_medoids",
    "k_medoids_bound",
    "medoid_curve",
    "medoid_silhouette_samples",
    "medoid_silhouette_score",
    "pam_build",
]


def __getattr__(name):
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'skloss.cluster' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})

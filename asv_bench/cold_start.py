"""What the first fit in a new process waits for, kernels cached on disk."""

import subprocess
import sys

ESTIMATORS = {
    "PooledGaussianNB": "from skloss import PooledGaussianNB as Estimator",
    "MultinomialLogistic": "from skloss import MultinomialLogistic as Estimator",
    "KMedoids": "from skloss import KMedoids as Estimator",
    "PrestoClassifier": "from skloss.ordinal import PrestoClassifier as Estimator",
    "ProportionalOddsClassifier": (
        "from skloss.ordinal import ProportionalOddsClassifier as Estimator"
    ),
    "scikit-learn LogisticRegression": (
        "from sklearn.linear_model import LogisticRegression as Estimator"
    ),
}
_FIRST_FIT = """
import time, warnings
from sklearn.datasets import load_digits
{load}
warnings.simplefilter("ignore")
X, y = load_digits(return_X_y=True)
marks = [time.perf_counter()]
for _ in range(2):
    Estimator().fit(X, y).predict(X)
    marks.append(time.perf_counter())
print((marks[1] - marks[0]) - (marks[2] - marks[1]))
"""
_IMPORT = """
import time
import sklearn.base
start = time.perf_counter()
import skloss
print(time.perf_counter() - start)
"""


def printed_seconds(code):
    """Run code in a new process; return the number that it prints."""
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


class FirstFit:
    """Seconds that the first fit and prediction on digits take beyond the second."""

    params = tuple(ESTIMATORS)
    param_names = ("estimator",)
    unit = "seconds"

    def setup(self, estimator):
        self.code = _FIRST_FIT.format(load=ESTIMATORS[estimator])
        printed_seconds(self.code)  # fills the disk cache

    def track_first_fit(self, estimator):
        return min(printed_seconds(self.code) for _ in range(3))


class Import:
    """Seconds that ``import skloss`` adds to scikit-learn's own import."""

    unit = "seconds"

    def track_import(self):
        return min(printed_seconds(_IMPORT) for _ in range(5))

"""Displays of fitted estimators: they keep what the plots read."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skloss.ordinal import (
    CVCurveDisplay,
    PrestoClassifier,
    PrestoClassifierCV,
    PrestoPathDisplay,
    ProportionalOddsClassifier,
    ThresholdProfileDisplay,
)

_SPEC = importlib.util.spec_from_file_location(
    "ordinal_drawing", Path(__file__).with_name("drawing.py")
)
drawing = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(drawing)

texts = drawing.texts


@pytest.fixture(scope="module")
def ordered():
    """Rows with named features and three classes, "c" the rare one."""
    rng = np.random.default_rng(7)
    X = pd.DataFrame(rng.standard_normal((600, 4)), columns=list("pqrs"))
    X["q"] *= 10
    latent = X @ [1.0, 0.1, 0.0, 0.0] + rng.logistic(size=600)
    return X, pd.Series(np.array(["a", "b", "c"])[np.digitize(latent, [0, 3])])


class TestFits:
    """The estimators keep what the plots read."""

    def test_profile(self, ordered):
        X, y = ordered
        model = PrestoClassifier(alpha=1e-3).fit(X, y)
        common = ProportionalOddsClassifier().fit(X, y)
        display = ThresholdProfileDisplay.from_estimator(
            model, proportional_odds=common, features=["q", "s"]
        )
        for place, j in enumerate([1, 3]):
            line, level = display.lines_[place], display.proportional_lines_[place]
            np.testing.assert_array_equal(line.get_ydata(), model.coef_[:, j])
            assert level.get_ydata()[0] == common.coef_[0, j]
            assert display.axes_[place].get_title() == "pqrs"[j]
        assert texts(display.axes_[0].get_xticklabels()) == ["> a", "> b"]
        with pytest.raises(ValueError, match="one row for each threshold"):
            ThresholdProfileDisplay.from_estimator(common)

    @pytest.mark.parametrize("l1_ratio", [1.0, [0.5, 1.0]])
    def test_path_and_scores(self, ordered, l1_ratio):
        X, y = ordered
        model = PrestoClassifierCV(
            alphas=8, cv=3, l1_ratio=l1_ratio, random_state=0
        ).fit(X, y)
        ratios = np.atleast_1d(l1_ratio).tolist()
        chosen = ratios.index(model.l1_ratio_)
        alphas = np.atleast_2d(model.alphas_)[chosen]
        path = PrestoPathDisplay.from_estimator(model, X=X, standardized=True)
        sd = X.to_numpy().std(axis=0)
        for k, lines in enumerate(path.lines_):
            for j, line in lines.items():
                np.testing.assert_array_equal(line.get_xdata(), alphas)
                np.testing.assert_allclose(
                    line.get_ydata(), model.coefs_path_[:, k, j] * sd[j]
                )
        # The curves cross the line at the fit itself.
        at = path.lines_[1][0].get_xdata() == path.alpha_lines_[0].get_xdata()[0]
        assert at.sum() == 1
        for j, line in path.lines_[1].items():
            drawn = line.get_ydata()[at]
            np.testing.assert_allclose(drawn, model.coef_[1, j] * sd[j], atol=1e-4)
        curve = CVCurveDisplay.from_estimator(model)
        assert len(curve.lines_) == len(ratios)
        best = max(line.get_ydata().max() for line in curve.lines_)
        heights = curve.lines_[chosen].get_ydata()
        assert heights[alphas == model.alpha_] == best
        assert curve.one_se_alpha_ >= model.alpha_

    def test_one_standard_error_rules_agree(self, ordered):
        X, y = ordered
        options = {"alphas": 15, "cv": 4, "random_state": 0}
        best = PrestoClassifierCV(**options).fit(X, y)
        simple = PrestoClassifierCV(selection="1se", **options).fit(X, y)
        assert CVCurveDisplay.from_estimator(best).one_se_alpha_ == simple.alpha_


DRAW = [
    PrestoPathDisplay.from_estimator,
    ThresholdProfileDisplay.from_estimator,
    CVCurveDisplay.from_estimator,
]


@pytest.mark.parametrize("draw", DRAW)
class TestAll:
    def test_refuses_unfitted_estimators(self, draw):
        with pytest.raises(NotFittedError):
            draw(LogisticRegression())

    def test_says_what_is_missing(self, draw, path, monkeypatch):
        monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
        with pytest.raises(ImportError, match=r"skloss\[plot\]"):
            draw(path)

"""Our estimators inside the packages that users compare and prepare with."""

import numpy as np
import pytest
import skore
import skrub

from skloss.compare import registered

OURS = registered("classification", baseline=False)


@pytest.mark.parametrize("entry", OURS, ids=lambda e: e.name)
def test_in_skrub_pipelines(entry, mixed):
    X, y = mixed
    model = skrub.tabular_pipeline(entry.make()).fit(X, y)
    assert model.score(X, y) > 0.75
    by_hand = skrub.TableVectorizer().fit_transform(X.drop(columns="gap"))
    assert list(entry.make().fit(by_hand, y).feature_names_in_) == list(by_hand.columns)


def test_in_skore_evaluate_and_compare(numbers):
    X, y = numbers
    models = {entry.name: entry.make() for entry in OURS}
    reports = {
        name: skore.evaluate(m, X, y, splitter=0.5) for name, m in models.items()
    }
    for name, report in reports.items():
        model = models[name].fit(report.X_train, report.y_train)
        expected = model.score(report.X_test, report.y_test)
        assert report.metrics.accuracy() == pytest.approx(expected)
    together = skore.compare(reports)
    frame = together.metrics.summarize().frame()
    assert frame.shape[1] == len(models)
    crossed = skore.evaluate(models, X, y, splitter=3)
    assert np.isfinite(crossed.metrics.summarize().frame().to_numpy(float)).all()

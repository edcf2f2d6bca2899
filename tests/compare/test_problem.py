import numpy as np
import pandas as pd
import pytest

from skloss.compare import InputError
from skloss.compare.problem import inner_folds, make_problem, outer_splits


def test_rows_without_target_go_and_are_counted(rng):
    y = pd.Series(["a", "b", None, "a", "b", "a", "b", None])
    problem = make_problem(rng.standard_normal((8, 2)), y)
    assert len(problem.X) == len(problem.y) == 6
    assert "dropped 2 of 8 rows without a target" in problem.notes


def test_classes_too_small_to_be_scored_go(rng):
    y = np.array(["a"] * 10 + ["b"] * 10 + ["rare"])
    problem = make_problem(rng.standard_normal((21, 2)), y)
    assert problem.classes.tolist() == ["a", "b"]
    assert problem.y.max() == 1
    assert any("'rare'" in note for note in problem.notes)


def test_one_row_per_class_is_explained(rng):
    names = [f"name {i}" for i in range(30)]
    with pytest.raises(InputError, match="is it a number or a name"):
        make_problem(rng.standard_normal((30, 2)), names)


def test_many_tiny_classes_are_no_classes(rng):
    y = [f"name {i}" for i in range(30)] + ["a"] * 10 + ["b"] * 10
    with pytest.raises(InputError, match="is it a number or a name"):
        make_problem(rng.standard_normal((50, 2)), y)


def test_too_many_folds_are_blamed_on_the_folds(rng):
    with pytest.raises(InputError, match="no class has 20 rows") as caught:
        make_problem(rng.standard_normal((20, 2)), [0, 1] * 10, n_folds=20)
    assert caught.value.parameter == "n_folds"


def test_small_classes_raise_no_warnings(rng, recwarn):
    problem = make_problem(rng.standard_normal((20, 2)), [0] * 17 + [1] * 3)
    for train, _ in outer_splits(problem, 2, 2, seed=0):
        assert len(inner_folds(problem, train, seed=0)) == 3
    assert not recwarn.list


def test_another_seed_shares_no_repeat(rng):
    problem = make_problem(rng.standard_normal((40, 2)), [0, 1] * 20)
    tests = [
        {test.tobytes() for _, test in outer_splits(problem, 5, 2, seed)}
        for seed in (0, 1)
    ]
    assert len(tests[0]) == len(tests[1]) == 10
    assert not tests[0] & tests[1]


def test_a_column_that_repeats_the_target_is_noted(rng):
    y = rng.integers(0, 2, 60)
    X = pd.DataFrame({"x": rng.standard_normal(60), "answer": np.where(y, "yes", "no")})
    notes = " ".join(make_problem(X, y).notes)
    assert "'answer' says exactly what the target says" in notes
    assert "exactly" not in " ".join(make_problem(X[["x"]], y).notes)


def test_large_tables_are_sampled_with_a_notice(rng):
    y = np.r_[np.zeros(990), np.ones(7), np.full(3, 2)].astype(int)
    X = np.column_stack([np.arange(1000.0) % 17, rng.random(1000)])
    problem = make_problem(X, y, max_rows=100, seed=3)
    assert len(problem.X) == 100
    assert np.bincount(problem.y).tolist()[1:] == [2, 2]
    assert any("sample of 100 of 1,000 rows" in note for note in problem.notes)
    assert len(problem.X_all) == 1000
    again = make_problem(X, y, max_rows=100, seed=3)
    assert problem.X.equals(again.X)
    assert not problem.X.equals(make_problem(X, y, max_rows=100, seed=4).X)


def test_whole_bags_are_sampled(rng):
    bags = np.repeat(np.arange(100), 10)
    X = rng.standard_normal((1000, 2))
    problem = make_problem(X, X[:, 0], bags=bags, max_rows=205)
    assert len(problem.X) == 200
    assert set(np.bincount(problem.bags)) <= {0, 10}


def test_splits_are_stratified_and_every_row_is_tested_once(rng):
    y = np.repeat([0, 1], [20, 60])
    problem = make_problem(rng.standard_normal((80, 2)), y, task="classification")
    splits = outer_splits(problem, 3, 2, seed=0)
    assert len(splits) == 6
    for repeat in range(3):
        tested = np.concatenate(
            [test for _, test in splits[2 * repeat : 2 * repeat + 2]]
        )
        assert sorted(tested) == list(range(80))
    for train, test in splits:
        assert not set(train) & set(test)
        assert problem.y[train].mean() == 0.75
    same = outer_splits(problem, 3, 2, seed=0)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(splits, same))


def test_bags_are_never_torn(rng):
    bags = rng.integers(0, 20, 200)
    X = rng.standard_normal((200, 2))
    problem = make_problem(X, X[:, 0], bags=[f"bag {b}" for b in bags])
    for train, test in outer_splits(problem, 2, 2, seed=1):
        assert not set(problem.bags[train]) & set(problem.bags[test])
        for fit, check in inner_folds(problem, train, seed=1):
            fitted, checked = problem.bags[train][fit], problem.bags[train][check]
            assert not set(fitted) & set(checked)


def test_labels_within_bags_are_hidden_from_training(rng):
    bags = np.repeat(np.arange(10), 4)
    y = rng.standard_normal(40)
    problem = make_problem(rng.standard_normal((40, 2)), y, bags=bags)
    means = np.array([y[bags == b].mean() for b in bags])
    assert problem.y == pytest.approx(means)
    assert problem.truth == pytest.approx(y)
    assert problem.scores[0].key == "squared_error"
    known = make_problem(rng.standard_normal((40, 2)), means, bags=bags)
    assert known.scores[0].key == "bag_squared_error"


def test_wide_regression_also_meets_the_sparse_models(rng):
    X = rng.standard_normal((60, 20))
    assert make_problem(X, X[:, 0]).sparse_too
    assert not make_problem(X[:, :5], X[:, 0]).sparse_too


@pytest.mark.parametrize(
    "arguments, parameter",
    [
        ({"y": [0, 1] * 5}, "target"),
        ({"y": np.zeros((20, 2))}, "target"),
        ({"y": [None] * 20}, "target"),
        ({"y": [0.5] * 20, "task": "regression"}, "target"),
        ({"y": np.arange(20.0), "bags": [0] * 20}, "bags"),
        ({"y": [0, 1] * 10, "bags": [0] * 20, "task": "classification"}, "bags"),
        ({"y": [0, 1] * 10, "scoring": "nonsense"}, "scoring"),
    ],
)
def test_bad_input_names_the_argument(rng, arguments, parameter):
    with pytest.raises(InputError) as caught:
        make_problem(rng.standard_normal((20, 2)), **arguments)
    assert caught.value.parameter == parameter
    assert "\n" not in str(caught.value)


def test_too_few_rows():
    with pytest.raises(InputError, match="rows"):
        make_problem(np.arange(6.0).reshape(3, 2))

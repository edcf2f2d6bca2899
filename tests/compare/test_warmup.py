import pytest

from skloss.compare import InputError
from skloss.compare.registry import registered
from skloss.compare.warmup import run_warmup, warmups


def test_every_family_has_a_warmup():
    families = {entry.family for entry in registered(baseline=False)} - {None}
    assert families and families <= set(warmups())


def test_it_says_what_it_did_and_has_nothing_left_to_do(capsys):
    assert run_warmup(["linear_eval"]) == 0
    line = capsys.readouterr().out
    assert line.startswith("linear_eval (")
    assert "PooledGaussianNB" in line and "MultinomialLogistic" in line
    assert run_warmup(["linear_eval"]) == 0
    assert "nothing to compile" in capsys.readouterr().out


def test_a_failing_family_does_not_stop_the_others(capsys, monkeypatch):
    def broken():
        raise RuntimeError("no compiler")

    monkeypatch.setattr(
        "skloss.compare.warmup.warmups", lambda: {"losses": broken, "solvers": list}
    )
    assert run_warmup() == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "losses: failed, RuntimeError: no compiler"
    assert lines[1].startswith("solvers: nothing to compile")


def test_unknown_families_are_refused():
    with pytest.raises(InputError, match="choose from"):
        run_warmup(["nosuch"])

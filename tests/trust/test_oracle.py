"""The part `oracle` finds nothing in the engine, and finds what is planted."""

from __future__ import annotations

import pyarrow as pa
import pytest
from trust.oracle import cases, columns, datasets, statistics
from trust.oracle.part import ORACLE

from tidegauge import _core, column_profiles, drift
from tidegauge.profiles import Profile


def test_a_reduced_run_finds_nothing():
    outcome = ORACLE.run(0, 120, 60.0)
    assert outcome.findings == []
    assert outcome.tried == 120
    assert all(outcome.counts[what] for what in ("plain", "dictionary", "runs", "merge trees", "statistics"))


def test_a_case_is_its_number():
    assert cases.try_case(33) == cases.try_case(33)


def test_every_type_and_layout_is_drawn():
    seen = set()
    for number in range(2_000):
        random = columns.Random(number)
        kind = random.choice(columns.KINDS)
        made = columns.column(random, random.choice([0, 5, 40]), kind)
        seen |= {(kind.type, made.layout), ("offset", made.array.chunk(0).offset % 8)}
    assert {type_ for type_, _ in seen} >= {kind.type for kind in columns.KINDS}
    assert {(pa.string(), "dictionary"), (pa.int8(), "runs"), ("offset", 3)} <= seen


PLANTED = {
    "a sum that is one off": (column_profiles.ColumnProfile, "sum", property(lambda c: c._column.sum + 1)),
    "a null too many": (column_profiles.ColumnProfile, "n_null", property(lambda c: c._homes.n_null + 1)),
    "a merge of half of the parts": (Profile, "merge", lambda self, other: None),
    "a quantile of the maximum": (column_profiles, "quantile_of", lambda column, q: column.max),
    "an instruction set that shows": (
        Profile,
        "to_bytes",
        lambda self: self._core.to_bytes(with_edges=False) + _core.isa().encode(),
    ),
}


@pytest.mark.parametrize("defect", PLANTED)
def test_a_planted_defect_is_found(monkeypatch, defect):
    monkeypatch.setattr(*PLANTED[defect])
    found = ORACLE.run(1, 40, 60.0).findings
    assert found
    assert "python -m trust try oracle" in found[0]


STATISTICS = (
    "psi kl chi_square g_test ks kuiper mann_whitney wasserstein energy anderson_darling cramer_von_mises "
    "hellinger total_variation l_infinity cramers_v fisher_exact exact_log_p_value share_change "
    "two_proportion_z mean_change"
)


@pytest.mark.parametrize("name", STATISTICS.split())
def test_a_statistic_wrong_in_the_fifth_digit_is_found(monkeypatch, name):
    right = getattr(drift, name)

    def wrong(*arguments):
        found = right(*arguments)
        return (found[0] * 1.0001, *found[1:]) if isinstance(found, tuple) else found * 1.0001

    monkeypatch.setattr(drift, name, wrong)

    def check_tables():
        for number in range(100):
            statistics.check(statistics.Random(number))

    with pytest.raises(AssertionError, match="the oracle says"):
        check_tables()


def test_levels_are_given_back_after_a_failure():
    before = _core.isa()
    with pytest.raises(RuntimeError), datasets.forced(datasets.LEVELS[0]):
        raise RuntimeError
    assert _core.isa() == before

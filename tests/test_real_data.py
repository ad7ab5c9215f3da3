"""The whole job on public data: a hotel-booking model in production, a drifting electricity market."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidegauge as tg

DATA = Path(__file__).parent.parent.parent / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the public data sets are not in {DATA}")


def drawn(table: pa.Table) -> pa.Table:
    """A third of the rows, at random (every third would fall into step with the hours of the day)."""
    return table.take(np.random.default_rng(1).permutation(table.num_rows)[: table.num_rows // 3])


@pytest.fixture(scope="module")
def hotel() -> tg.Reference:
    path = DATA / "hotel_reference.parquet"
    roles = {"prediction": "y_pred", "label": "is_canceled", "id": "customer_id", "timestamp": "timestamp"}
    return tg.Reference.fit(path, schema=tg.Schema.infer(path, score="y_pred_proba", **roles))


def test_hotel_reference_agrees_with_its_own_halves(hotel: tg.Reference) -> None:
    """Rows drawn from the reference come from its distribution: nothing may be found in them."""
    comparison = tg.compare(hotel, tg.profile(drawn(pq.read_table(DATA / "hotel_reference.parquet")), hotel))
    assert comparison.status == "ok", comparison


def test_hotel_production_in_winter_is_not_the_summer_it_was_tested_on(hotel: tg.Reference) -> None:
    profile = tg.profile(DATA / "hotel_production.parquet", hotel)
    assert profile.n_rows == 14_671
    comparison = tg.compare(hotel, profile)
    assert comparison.status == "alert"
    # Summer prices and lead times against winter ones: the two best known seasonal columns of the set.
    for name in ("adr", "lead_time"):
        assert comparison.columns[name].status == "alert", comparison.columns[name]
    for name in ("customer_id", "timestamp"):
        assert comparison.columns[name].status not in {"warning", "alert"}


def test_hotel_profile_is_the_same_in_one_piece_and_in_weeks(hotel: tg.Reference) -> None:
    table = pq.read_table(DATA / "hotel_production.parquet")
    pieces = [tg.profile(table.slice(start, 1_000), hotel) for start in range(0, table.num_rows, 1_000)]
    whole, merged = tg.profile(table, hotel), tg.merge(pieces)
    assert merged.n_rows == whole.n_rows
    for name in whole:
        if whole[name].counts is not None:
            assert (merged[name].counts == whole[name].counts).all()


def test_electricity_drifts_and_its_first_half_does_not_from_itself() -> None:
    table = pq.read_table(DATA / "electricity.parquet")
    half = table.slice(0, table.num_rows // 2)
    reference = tg.Reference.fit(half)
    same = tg.compare(reference, tg.profile(drawn(half), reference))
    later = tg.compare(reference, tg.profile(table.slice(half.num_rows), reference))
    assert same.status == "ok", same
    assert later.status == "alert"


def test_hotel_days_differ_by_themselves_and_only_what_is_new_raises_an_alarm() -> None:
    """The last 54 days of one summer against its first 100: groups come and go, and little else changes."""
    table = pq.read_table(DATA / "hotel_reference.parquet").sort_by("timestamp")
    roles = {"prediction": "y_pred", "label": "is_canceled", "id": "customer_id", "timestamp": "timestamp"}
    schema = tg.Schema.infer(table, score="y_pred_proba", **roles)
    first, rest = table.slice(0, 11_000), table.slice(11_000)
    alarms = {}
    for window in ("1d", None):
        reference = tg.Reference.fit(first, schema=schema, window=window)
        alarms[window] = tg.scan(reference, tg.profile_windows(rest, reference, window="1d")).alarms
    assert {alarm.comparison.component for alarm in alarms["1d"]} <= {"unseen categories"}
    assert len(alarms["1d"]) <= 3
    # Taken as independent, its rows raise ten times as many.
    assert len(alarms[None]) >= 20

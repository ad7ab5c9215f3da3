"""Compare: what is named, what stays quiet, what is refused, and how it reads, on profiles made by NumPy."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from tidegauge.comparison import Comparison, compare
from tidegauge.errors import MergeError

N_REFERENCE, N_CURRENT = 670_000, 95_000


@dataclass
class Column:
    """The attributes of a profile's column, from plain arrays."""

    name: str
    kind: str
    counts: Any = None
    edges: Any = None
    categories: Any = None
    role: str = "feature"
    judge: bool = True
    edges_id: str | None = "e1"
    n_rows: int = 0
    n_absent: int = 0
    n_mistyped: int = 0
    n_null: int = 0
    n_nan: int = 0
    n_inf: int = 0
    n_below: int = 0
    n_above: int = 0
    n_unseen: int = 0
    mean: float | None = None
    variance: float | None = None
    kurtosis: float | None = None
    min: float | None = None
    max: float | None = None
    unseen_top: list[tuple[str, int]] = field(default_factory=list)

    @property
    def n_present(self) -> int:
        inside = 0 if self.counts is None else int(np.sum(self.counts))
        return inside + self.n_below + self.n_above + self.n_unseen


class Fake(dict[str, Column]):
    """A profile: a mapping of columns with a number of rows."""

    def __init__(self, n_rows: int, *columns: Column) -> None:
        super().__init__({column.name: column for column in columns})
        self.n_rows = n_rows


def edges_of(values: np.ndarray, cells: int = 256) -> np.ndarray:
    edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, cells + 1)))
    edges[-1] = np.nextafter(edges[-1], np.inf)
    return edges


def numbers(name: str, values: np.ndarray, edges: np.ndarray, n_null: int = 0, **more: Any) -> Column:
    """Count `values` between `edges`; a column without values has no moments."""
    inner, _ = np.histogram(values[(values >= edges[0]) & (values < edges[-1])], edges)
    return Column(
        name,
        "number",
        inner.astype(np.uint64),
        edges,
        n_rows=len(values) + n_null,
        n_null=n_null,
        n_below=int((values < edges[0]).sum()),
        n_above=int((values >= edges[-1]).sum()),
        mean=float(values.mean()) if len(values) else None,
        variance=float(values.var()) if len(values) else None,
        min=float(values.min()) if len(values) else None,
        max=float(values.max()) if len(values) else None,
        **more,
    )


def categories(name: str, counts: list[int], n_unseen: int = 0, **more: Any) -> Column:
    names = [f"c{i}" for i in range(len(counts))]
    n_rows = sum(counts) + n_unseen
    return Column(
        name, "category", np.array(counts, np.uint64), None, names, n_rows=n_rows, n_unseen=n_unseen, **more
    )


@pytest.fixture(scope="module")
def normal() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reference values, current values of the same distribution, and the reference's edges."""
    rng = np.random.default_rng(1)
    values = rng.normal(50.0, 8.0, N_REFERENCE)
    return values, rng.normal(50.0, 8.0, N_CURRENT), edges_of(values[::2])


def against(normal: Any, current: np.ndarray, n_null: int = 0, **more: Any) -> Comparison:
    values, edges = normal[0], normal[2]
    return compare(
        Fake(N_REFERENCE, numbers("x", values, edges)),
        Fake(len(current) + n_null, numbers("x", current, edges, n_null, **more)),
    )


def test_equal_distributions_stay_quiet(normal: Any) -> None:
    comparison = against(normal, normal[1])
    assert comparison.status == "ok"
    assert comparison["x"].reasons == ()
    assert comparison.value("psi", column="x") == pytest.approx(0.0, abs=1e-3)


def test_clean_windows_stay_quiet_at_every_size() -> None:
    rng = np.random.default_rng(2)
    shares = rng.dirichlet(np.full(64, 0.3))
    reference = rng.multinomial(N_REFERENCE, shares)
    named = 0
    for m in (50, 320, 1_000, 10_000, N_CURRENT, 3_000_000):
        for _ in range(40):
            current = rng.multinomial(m, shares)
            comparison = compare(
                Fake(N_REFERENCE, categories("c", reference.tolist()), of_counts("x", reference)),
                Fake(m, categories("c", current.tolist()), of_counts("x", current)),
            )
            named += sum(column.status in ("warning", "alert") for column in comparison.columns.values())
    # 240 comparisons at 1/1000 each: more than 2 has a chance of 0.2 %.
    assert named <= 2


def of_counts(name: str, counts: np.ndarray) -> Column:
    """A column of whole numbers 0, 1, ... with the given counts, nothing outside."""
    places = np.arange(len(counts), dtype=float)
    n = int(counts.sum())
    mean = float((places * counts).sum() / n)
    variance = float((places**2 * counts).sum() / n - mean**2)
    edges = np.arange(len(counts) + 1, dtype=float)
    low, high = float(places[counts > 0].min()), float(places[counts > 0].max())
    return Column(name, "number", counts, edges, n_rows=n, mean=mean, variance=variance, min=low, max=high)


def test_a_change_of_unit_is_named(normal: Any) -> None:
    values, current = normal[:2]
    comparison = against(normal, current * 100.0)
    assert comparison.status == "alert"
    reasons = " | ".join(comparison["x"].reasons)
    assert re.search(r"values above 8\d\.\d: <0\.01 % -> 100 %", reasons), reasons
    assert re.search(r"mean 50\.0 -> 500\d", reasons), reasons
    assert comparison.value("mean_change", column="x") == pytest.approx(
        (current.mean() * 100 - values.mean()) / values.std(), rel=1e-4
    )


def test_a_stuck_value_is_named_with_its_cell(normal: Any) -> None:
    current = normal[1].copy()
    current[: N_CURRENT // 20] = 47.25
    comparison = against(normal, current)
    assert comparison["x"].status == "alert"
    said = comparison["x"].reasons[0]
    found = re.fullmatch(r"stuck value: cell \[([\d.]+), ([\d.]+)\) holds 0\.\d+ % -> (\d\.\d) %", said)
    assert found, said
    assert float(found[1]) <= 47.25 < float(found[2])
    assert float(found[3]) == pytest.approx(5.4, abs=0.3)


def test_a_shift_of_a_tenth_of_a_deviation_is_named(normal: Any) -> None:
    comparison = against(normal, normal[1] + 0.8)
    assert comparison["x"].status == "warning"
    assert re.match(r"mean 50\.0 -> 50\.8 \(PSI 0\.0\d\d\)", comparison["x"].reasons[0])


def test_a_wider_spread_is_named(normal: Any) -> None:
    comparison = against(normal, (normal[1] - 50.0) * 1.5 + 50.0)
    assert comparison["x"].status == "alert"
    spread = next(reason for reason in comparison["x"].reasons if reason.startswith("standard deviation"))
    assert re.fullmatch(r"standard deviation (7\.99|8\.0\d) -> (11\.9|12\.0) \(PSI 0\.2\d\d\)", spread)


def test_nulls_are_named(normal: Any) -> None:
    comparison = against(normal, normal[1][: int(N_CURRENT * 0.97)], n_null=int(N_CURRENT * 0.03))
    assert comparison["x"].status == "alert"
    assert comparison["x"].reasons == ("nulls 0 % -> 3.0 %",)
    assert comparison.value("missing_share_change", column="x") == pytest.approx(0.03, abs=1e-4)


def test_fewer_nulls_are_no_alert(normal: Any) -> None:
    values, current, edges = normal
    before = Fake(N_REFERENCE, numbers("x", values[:600_000], edges, n_null=70_000))
    comparison = compare(before, Fake(len(current), numbers("x", current, edges)))
    assert comparison["x"].status == "warning"
    assert comparison["x"].reasons == ("nulls 10 % -> 0 %",)


def test_nan_is_called_nan(normal: Any) -> None:
    values, current, edges = normal
    column = replace(numbers("x", current, edges, n_null=5_000), n_null=0, n_nan=5_000)
    comparison = compare(Fake(N_REFERENCE, numbers("x", values, edges)), Fake(column.n_rows, column))
    assert comparison["x"].reasons == ("NaN 0 % -> 5.0 %",)


def test_mistyped_and_infinite_values_are_named(normal: Any) -> None:
    values, current, edges = normal
    column = replace(numbers("x", current, edges), n_mistyped=4_000, n_inf=3_000, n_rows=N_CURRENT + 7_000)
    comparison = compare(Fake(N_REFERENCE, numbers("x", values, edges)), Fake(column.n_rows, column))
    assert comparison["x"].reasons == (
        "values that are no number 0 % -> 3.9 %",
        "infinite values 0 % -> 2.9 %",
    )


def test_a_new_category_is_named() -> None:
    before = Fake(N_REFERENCE, categories("c", [400_000, 200_000, 70_000]))
    current = categories(
        "c", [55_000, 28_000, 10_000], n_unseen=2_000, unseen_top=[("XX", 1_900), ("YY", 100)]
    )
    comparison = compare(before, Fake(N_CURRENT, current))
    assert comparison["c"].status == "alert"
    assert "new category 'XX' in 2 %" in comparison["c"].reasons[0].replace("2.0 %", "2 %")
    nameless = compare(before, Fake(N_CURRENT, replace(current, unseen_top=[])))
    assert nameless["c"].reasons[0] == "categories unseen in the reference 0 % -> 2.1 %"


def test_a_category_seen_fewer_than_five_times_is_not_shown() -> None:
    before = Fake(300, categories("c", [200, 100]))
    current = categories("c", [20, 10], n_unseen=40, unseen_top=[("secret", 4)])
    comparison = compare(before, Fake(70, current))
    assert comparison["c"].status == "alert"
    assert "secret" not in repr(comparison)


def test_a_category_that_doubled_is_named() -> None:
    before = Fake(N_REFERENCE, categories("c", [400_000, 200_000, 70_000]))
    comparison = compare(before, Fake(N_CURRENT, categories("c", [40_000, 28_000, 27_000])))
    assert comparison["c"].reasons[0].startswith("category 'c2' 10 % -> 28 % (PSI 0.2")


def test_a_missing_column_is_an_alert_and_a_new_one_is_listed(normal: Any) -> None:
    values, current, edges = normal
    before = Fake(N_REFERENCE, numbers("x", values, edges), categories("c", [400_000, 270_000]))
    new = Column("extra", "number", n_rows=N_CURRENT)
    comparison = compare(before, Fake(N_CURRENT, numbers("x", current, edges), new))
    assert comparison["c"].status == "alert"
    assert comparison["c"].reasons == ("the column is missing",)
    assert comparison.value("absent_share_change", column="c") == 1.0
    assert not comparison["extra"].judged
    assert comparison["extra"].reasons == ("not in the reference",)
    absent = categories("c", [0, 0])
    absent = replace(absent, n_rows=N_CURRENT, n_absent=N_CURRENT)
    again = compare(before, Fake(N_CURRENT, numbers("x", current, edges), absent))
    assert again["c"].reasons == ("the column is missing",)


def test_too_few_rows_are_insufficient(normal: Any) -> None:
    comparison = against(normal, normal[1][:200])
    assert comparison.status == "insufficient"
    assert comparison["x"].reasons == ("200 values, a verdict needs 320",)
    few = normal[0][:150]
    edges = edges_of(few, 8)
    comparison = compare(Fake(150, numbers("x", few, edges)), Fake(N_CURRENT, numbers("x", normal[1], edges)))
    assert "the reference has 150 values, a verdict needs 200" in " ".join(comparison["x"].reasons) or any(
        "above" in reason or "below" in reason for reason in comparison["x"].reasons
    )


def test_an_empty_window_is_insufficient(normal: Any) -> None:
    comparison = against(normal, normal[1][:0])
    assert comparison.status == "insufficient"
    assert comparison.value("ks", column="x") is None
    assert compare(Fake(N_REFERENCE, *[]), Fake(0)).status == "insufficient"
    missing = compare(Fake(N_REFERENCE, numbers("x", normal[0], normal[2])), Fake(0))
    assert missing.status == "insufficient"


def test_degenerate_columns_are_quiet() -> None:
    nulls = Column("n", "number", n_rows=1_000, n_null=1_000)
    constant = of_counts("k", np.array([1_000]))
    reference = Fake(1_000, nulls, constant)
    current = Fake(900, replace(nulls, n_rows=900, n_null=900), of_counts("k", np.array([900])))
    comparison = compare(reference, current)
    assert comparison.status == "ok"
    assert comparison.value("psi", column="n") is None
    assert comparison.value("mean_change", column="k") is None


def test_columns_that_are_not_judged_are_listed() -> None:
    columns = [
        replace(categories("key", [1_000]), role="id"),
        replace(categories("off", [1_000]), judge=False),
        Column("vector", "embedding", n_rows=1_000, edges_id=None),
    ]
    other = [replace(column, edges_id="other") for column in columns]
    comparison = compare(Fake(1_000, *columns), Fake(1_000, *other))
    assert [column.judged for column in comparison.columns.values()] == [False] * 3
    assert [column.reasons[0] for column in comparison.columns.values()] == [
        "not judged: role id",
        "not judged: judge=False",
        "not judged: kind embedding",
    ]
    assert comparison.measurements == []
    assert comparison.status == "insufficient"


@pytest.mark.parametrize("change", [{"edges_id": "e2"}, {"kind": "boolean"}])
def test_unlike_columns_are_refused_with_the_remedy(change: dict[str, str]) -> None:
    column = categories("colour", [600, 400])
    with pytest.raises(MergeError, match=r"'colour'.*edges=old"):
        compare(Fake(1_000, column), Fake(1_000, replace(column, **change)))


def test_a_reference_gives_its_profile(normal: Any) -> None:
    @dataclass
    class Reference:
        profile: Fake

    profile = Fake(1_000, categories("c", [600, 400]))
    assert compare(Reference(profile), profile).status == "ok"


def test_the_family_grows_with_the_columns() -> None:
    """Nulls 1 % -> 2 % of 2,000 rows, p = 1e-5: named alone, and not among a hundred columns."""
    before = replace(categories("c", [99_000]), n_null=1_000, n_rows=100_000)
    after = replace(categories("c", [1_960]), n_null=40, n_rows=2_000)
    alone = compare(Fake(100_000, before), Fake(2_000, after))
    others = [categories(f"c{i}", [1_000]) for i in range(100)]
    many = compare(Fake(100_000, before, *others), Fake(2_000, after, *others))
    assert alone["c"].status == "warning"
    assert many["c"].status == "ok"
    assert alone["c"].measurements[4].p_value == many["c"].measurements[4].p_value


def test_access_by_name() -> None:
    profile = Fake(1_000, categories("c", [600, 400]))
    comparison = compare(profile, profile)
    assert comparison["c"].value("psi") == comparison.value("psi", column="c") == 0.0
    assert {each.name for each in comparison.measurements} >= {"psi", "jensen_shannon", "chi_square"}
    with pytest.raises(KeyError, match="no column 'd'"):
        comparison["d"]
    with pytest.raises(KeyError, match="no measurement 'ks'"):
        comparison.value("ks", column="c")


def test_arrow_stream_and_dict_hold_the_measurements() -> None:
    import pyarrow as pa

    profile = Fake(1_000, categories("c", [600, 400]), of_counts("x", np.array([500, 500])))
    comparison = compare(profile, profile)
    table = pa.table(comparison)
    assert table.num_rows == len(comparison.measurements)
    assert table["name"].to_pylist() == [each.name for each in comparison.measurements]
    assert table.schema.field("value").type == pa.float64()
    told = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert told["columns"]["c"]["measurements"][0]["name"] == "drift"


HOSTILE = "<script>alert(1)</script>\x1b[31m\n\u202eevil"


def test_reprs_escape_hostile_names() -> None:
    column = replace(categories(HOSTILE, [600, 400]), categories=[HOSTILE, "b"])
    comparison = compare(Fake(1_000, column), Fake(1_000, replace(column, counts=np.array([100, 900]))))
    page = comparison._repr_html_()
    assert comparison.status == "alert"
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    for text in (page, repr(comparison)):
        assert not set(text) & {"\x1b", "\u202e"}
    assert len(repr(comparison).splitlines()) == 4


def test_the_text_is_worst_first_and_aligned(normal: Any) -> None:
    values, current, edges = normal
    before = [numbers(f"x{i}", values, edges) for i in range(3)]
    after = [
        numbers("x0", current, edges),
        numbers("x1", current * 2, edges),
        numbers("x2", current + 0.8, edges),
    ]
    comparison = compare(Fake(N_REFERENCE, *before), Fake(N_CURRENT, *after))
    lines = repr(comparison).splitlines()
    assert lines[0].startswith(
        "alert: 1 alert and 1 warning in 3 judged columns (95,000 rows against 670,000); x1: "
    )
    assert [line.split()[:2] for line in lines[3:]] == [["alert", "x1"], ["warning", "x2"], ["ok", "x0"]]
    assert len({line.index(name) for line, name in zip(lines[3:], ("x1", "x2", "x0"), strict=True)}) == 1


def test_long_tables_leave_out_what_is_well() -> None:
    columns = [categories(f"c{i}", [600, 400]) for i in range(100)]
    comparison = compare(Fake(1_000, *columns), Fake(1_000, *columns))
    lines = repr(comparison).splitlines()
    assert len(lines) == 28
    assert lines[-1] == "and 76 more columns, ok or not judged"


def test_a_hundred_columns_take_milliseconds(normal: Any) -> None:
    values, current, edges = normal
    one, other = numbers("x", values, edges), numbers("x", current, edges)
    before = Fake(N_REFERENCE, *(replace(one, name=f"x{i}") for i in range(100)))
    after = Fake(N_CURRENT, *(replace(other, name=f"x{i}") for i in range(100)))
    compare(before, after)
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        compare(before, after)
        taken.append(time.perf_counter() - start)
    # The bar is 20 ms on an idle machine; a shared one gets room.
    assert min(taken) < 0.1


def test_categories_that_chance_left_out_of_the_reference_are_expected() -> None:
    """A tenth of the reference's rows are the only one of their category: a tenth unseen is no news."""
    counts = [900, *[1] * 100]
    before = Fake(1_000, categories("c", counts))
    assert compare(before, Fake(1_000, categories("c", [900, *[0] * 100], n_unseen=100)))["c"].status == "ok"
    comparison = compare(before, Fake(1_000, categories("c", [700, *[0] * 100], n_unseen=300)))
    assert comparison["c"].reasons[0] == "categories unseen in the reference 10 % expected -> 30 %"


def test_a_category_whose_name_is_not_kept_is_still_told() -> None:
    column = replace(categories("c", [60_000, 40_000]), categories=["", ""])
    comparison = compare(
        Fake(100_000, column), Fake(100_000, replace(column, counts=np.array([10_000, 90_000])))
    )
    assert comparison["c"].reasons == ("category (name not kept) 60 % -> 10 % (PSI 1.301)",)


def test_many_values_in_a_wide_tail_cell_are_not_called_stuck(normal: Any) -> None:
    current = normal[1].copy()
    edges = normal[2]
    current[:5_000] = np.random.default_rng(12).uniform(edges[-2], edges[-1], 5_000)
    comparison = against(normal, current)
    assert re.match(r"values at or above 71\.\d+: 0\.4 % -> 5\.6 %", comparison["x"].reasons[0])


def test_the_references_schema_decides_what_is_judged() -> None:
    import tidegauge as tg

    rows = {"row": np.arange(5_000), "x": np.random.default_rng(0).normal(size=5_000)}
    reference = tg.Reference.fit(rows)
    later = tg.profile({"row": rows["row"] + 5_000, "x": rows["x"]}, reference)
    comparison = tg.compare(reference, later)
    assert comparison.status == "ok"
    assert not comparison["row"].judged
    assert "always grow" in comparison["row"].reasons[0]
    assert comparison["x"].judged


def test_labels_that_have_not_come_raise_no_alarm() -> None:
    import tidegauge as tg

    rng = np.random.default_rng(0)
    rows = {"x": rng.normal(size=5_000), "y": rng.random(5_000) < 0.3}
    reference = tg.Reference.fit(rows, schema=tg.Schema.infer(rows, label="y"))
    comparison = tg.compare(reference, tg.profile({"x": rng.normal(size=5_000)}, reference))
    assert comparison.status == "ok"
    assert comparison["y"].reasons == ("not judged: no labels yet",)

"""The laws of whole profiles: no split, thread, instruction set, save or failed call shows; merging adds.

Long because one set of rows, its profiles and their bytes serve all the laws.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tidegauge as tg
from tidegauge import _contract, _core
from tidegauge.errors import ArrowError, DecodeError, InputError, MergeError, SchemaError

LEVELS = _core.available_isas().split()


def rows(n: int, seed: int = 1) -> pa.Table:
    """Every kind of column, with nulls, homeless values, ties, and more distinct values than are kept."""
    draw = np.random.default_rng(seed)

    def missing(share: float) -> np.ndarray:
        return draw.random(n) < share

    floats = draw.normal(size=n) * 10.0 ** draw.integers(-2, 5, n)
    floats[missing(0.05)] = np.nan
    floats[missing(0.02)] = draw.choice([np.inf, -np.inf])
    floats[missing(0.1)] = 0.0
    words = draw.zipf(1.3, n) % 4000
    codes = pa.array(draw.integers(0, 9, n), mask=missing(0.1))
    vectors = draw.normal(size=(n, 5)).astype(np.float32)
    vectors[missing(0.01), 2] = np.nan
    columns = {
        "float": pa.array(floats, mask=missing(0.1), from_pandas=False),
        "float32": pa.array(draw.normal(size=n).astype(np.float32)),
        "plain": pa.array(draw.exponential(size=n)),
        "wide": pa.array(draw.integers(-(2**63), 2**63 - 1, n), mask=missing(0.02)),
        "count": pa.array(draw.poisson(3, n).astype(np.uint8)),
        "flag": pa.array(missing(0.3), mask=missing(0.1)),
        "word": pa.array([f"word {w}" for w in words], pa.string(), mask=missing(0.05)),
        "colour": pa.DictionaryArray.from_arrays(codes, list("abcdefghé")),
        "when": pa.array(np.sort(draw.integers(0, 10**6, n)).astype("M8[ms]"), mask=missing(0.1)),
        "day": pa.array(draw.integers(0, 400, n).astype("M8[D]")),
        "vector": pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.ravel()), 5, mask=pa.array(missing(0.1))
        ),
        "nested": pa.array([[1, 2]] * n, mask=missing(0.5)),
    }
    return pa.table(columns)


REFERENCE = tg.Reference.fit(rows(3_000, seed=2))
LATER = rows(9_001, seed=3)
SETUPS = [(reference, which) for reference in (None, REFERENCE) for which in ("full", "light")]
NAMES = [f"{'reference' if reference else 'open'}, {which}" for reference, which in SETUPS]
in_every_setup = pytest.mark.parametrize("setup", SETUPS, ids=NAMES)


def one_pass(data: pa.Table, setup, **options) -> tg.Profile:
    reference, which = setup
    return tg.profile(data, reference, accumulators=which, **options)


def through_bytes(profile: tg.Profile, setup) -> tg.Profile:
    return tg.Profile.from_bytes(profile.to_bytes(), setup[0])


WHOLE = {name: one_pass(LATER, setup).to_bytes() for name, setup in zip(NAMES, SETUPS, strict=True)}


# ---- (a) the same rows in the same order: the same bytes


@in_every_setup
@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, LATER.num_rows), max_size=12), st.integers(0, 2**16))
def test_neither_splits_nor_saving_in_between_shows(setup, cuts, saves):
    bounds = [0, *sorted(cuts), LATER.num_rows]
    profile = tg.Profile.empty(setup[0], accumulators=setup[1])
    for i, (begin, end) in enumerate(pairwise(bounds)):
        profile.update(LATER.slice(begin, end - begin))
        if saves >> i & 1 and profile.n_rows:
            profile = through_bytes(profile, setup)
    assert profile.to_bytes() == WHOLE[NAMES[SETUPS.index(setup)]]


@in_every_setup
def test_rows_one_by_one(setup):
    few = LATER.slice(0, 300)
    profile = tg.Profile.empty(setup[0], accumulators=setup[1])
    for i in range(300):
        profile.update(few.slice(i, 1))
    assert profile.to_bytes() == one_pass(few, setup).to_bytes()


@in_every_setup
def test_threads_do_not_show(setup):
    many = pa.concat_tables([LATER, rows(30_000, seed=4)]).combine_chunks()
    one = one_pass(many, setup, threads=1).to_bytes()
    for threads in (2, 8):
        assert one_pass(many, setup, threads=threads).to_bytes() == one


@pytest.fixture
def isa() -> Iterator[str]:
    before = _core.isa()
    yield before
    _core.force_isa(before)


@in_every_setup
@pytest.mark.parametrize("level", LEVELS)
def test_instruction_sets_do_not_show(setup, level, isa):
    _core.force_isa(level)
    assert _core.isa() == level
    assert one_pass(LATER, setup).to_bytes() == WHOLE[NAMES[SETUPS.index(setup)]]


def test_the_environment_chooses_the_instruction_set():
    def isa_of(level: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(p for p in sys.path if p)
        code = "from tidegauge import _core; print(_core.isa())"
        env = {**os.environ, "PYTHONPATH": path, "TIDEGAUGE_ISA": level}
        return subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
        )

    for level in LEVELS:
        assert isa_of(level).stdout.strip() == level
    assert isa_of("").stdout.strip() == LEVELS[-1]
    refused = isa_of("v9")
    assert refused.returncode != 0
    assert "level 'v9' is not one this machine can run" in refused.stderr
    assert "unset it" in refused.stderr


@in_every_setup
def test_the_order_of_columns_does_not_show(setup):
    turned = LATER.select(LATER.column_names[::-1])
    assert one_pass(turned, setup).to_bytes() == WHOLE[NAMES[SETUPS.index(setup)]]


def test_layouts_do_not_show():
    """What a value is stored as: dictionary or not, chunked or not, 32 or 64 bits, aligned or not."""
    table = LATER.select(["word", "count", "colour", "float32"])
    other = pa.table(
        {
            "word": table["word"].dictionary_encode(),
            "count": table["count"].cast(pa.int64()),
            "colour": table["colour"].cast(pa.string()).cast(pa.large_string()),
            "float32": table["float32"].cast(pa.float64()),
        }
    )
    assert tg.profile(table).to_bytes() == tg.profile(other).to_bytes()


# ---- (b), (c) merging


INTEGER_STATE = ("n_zero", "n_negative", "n_below", "n_above", "n_unseen", "n_distinct", "min", "max")
HOMES = ("n_rows", "n_present", "n_null", "n_nan", "n_inf", "n_mistyped", "n_absent")


def integer_state(profile: tg.Profile) -> dict:
    """All that must not depend on order or tree."""
    told = {}
    for name, column in profile.items():
        told[name] = {fact: getattr(column, fact) for fact in (*HOMES, *INTEGER_STATE)}
        told[name]["sum"] = column.sum if isinstance(column.sum, int) else None
        for cells in ("counts", "hash_counts"):
            found = getattr(column, cells)
            told[name][cells] = None if found is None else found.tolist()
    return told


def check_close(merged: tg.Profile, whole: tg.Profile, table: pa.Table) -> None:
    assert integer_state(merged) == integer_state(whole)
    for name, column in merged.items():
        other = whole[name]
        for fact in ("sum", "mean", "variance", "skewness", "kurtosis"):
            expected = getattr(other, fact)
            if expected is None:
                assert getattr(column, fact) is None
            else:
                assert getattr(column, fact) == pytest.approx(expected, rel=1e-11, abs=1e-12), (name, fact)
        if column.kind == "number" and "rank" in column.error_bounds:
            values = table[name].drop_null().to_numpy()
            values = np.sort(values[np.isfinite(values)])
            for q in (0.01, 0.3, 0.5, 0.99):
                value = column.quantile(q)
                bound = column.error_bounds["rank"] + 1 / len(values)
                assert np.mean(values < value) - bound <= q <= np.mean(values <= value) + bound
        if column.kind == "category" and merged._core.column(name).has_frequent:
            check_top(merged._core.column(name), whole._core.column(name))


def check_top(merged, whole) -> None:
    """Counts of frequent values are short by at most the error, on either side; ties may be held on one."""
    slack = merged.frequent_error + whole.frequent_error
    ours = {value: count for value, count, _ in merged.top(5000)}
    theirs = {value: count for value, count, _ in whole.top(5000)}
    for value in ours.keys() | theirs.keys():
        assert abs(ours.get(value, 0) - theirs.get(value, 0)) <= slack
    names = {value: name for value, _, name in whole.top(5000) if name}
    assert all(name is None or names.get(value, name) == name for value, _, name in merged.top(5000))


def cut(table: pa.Table, bounds: list[int]) -> list[pa.Table]:
    bounds = [0, *sorted(bounds), table.num_rows]
    return [table.slice(b, e - b) for b, e in pairwise(bounds) if e > b]


@in_every_setup
@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, LATER.num_rows), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_merging_equals_one_pass_for_any_tree(setup, bounds, choose: random.Random):
    whole = one_pass(LATER, setup)
    parts = [one_pass(part, setup) for part in cut(LATER, bounds)]
    choose.shuffle(parts)
    while len(parts) > 1:
        target, other = parts.pop(), parts.pop(choose.randrange(len(parts)))
        if choose.random() < 0.3:
            other = through_bytes(other, setup)
        target.merge(other)
        parts.insert(choose.randrange(len(parts) + 1), target)
    check_close(parts[0], whole, LATER)


@in_every_setup
def test_counters_and_cells_merge_to_the_byte(setup):
    """A column of integer state alone: any order of merging gives the bytes of one pass."""
    table = LATER.select(["flag", "day", "when"])
    whole = one_pass(table, setup)
    parts = [one_pass(part, setup) for part in cut(table, [100, 5_000, 7_777])]
    for order in ((0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0)):
        merged = tg.merge(parts[i] for i in order)
        for name in ("flag",):
            assert tg.Profile.from_bytes(merged.to_bytes())[name].to_dict() == whole[name].to_dict()
        assert integer_state(merged) == integer_state(whole)
    flags = [one_pass(part, setup) for part in cut(table.select(["flag"]), [100, 5_000])]
    assert tg.merge(flags[::-1]).to_bytes() == one_pass(table.select(["flag"]), setup).to_bytes()


@in_every_setup
def test_empty_is_the_identity(setup):
    profile = one_pass(LATER, setup)
    before = profile.to_bytes()
    empty = tg.Profile.empty(setup[0], accumulators=setup[1])
    profile.merge(empty)
    assert profile.to_bytes() == before
    empty.merge(profile)
    assert empty.to_bytes() == before


@in_every_setup
def test_merging_leaves_its_argument_and_tg_merge_all_of_them(setup):
    a, b = one_pass(LATER.slice(0, 4000), setup), one_pass(LATER.slice(4000), setup)
    before = a.to_bytes(), b.to_bytes()
    total = tg.merge([a, b])
    assert (a.to_bytes(), b.to_bytes()) == before
    a.merge(b)
    assert b.to_bytes() == before[1]
    assert a == total
    assert a != b


@in_every_setup
def test_a_profile_merges_with_itself(setup):
    profile = one_pass(LATER, setup)
    twice = tg.merge([profile, one_pass(LATER, setup)])
    profile.merge(profile)
    assert profile.to_bytes() == twice.to_bytes()
    assert profile.n_rows == 2 * LATER.num_rows


def test_snapshots_and_copies_do_not_move():
    profile = tg.profile(LATER)
    snapshot, copy = profile["float"], profile.copy()
    told, bytes_before = snapshot.to_dict(), copy.to_bytes()
    profile.update(LATER)
    assert snapshot.to_dict() == told
    assert copy.to_bytes() == bytes_before
    assert profile["float"].n_rows == 2 * LATER.num_rows


def test_columns_are_united_by_name():
    left, right = tg.profile({"a": [1, 2], "b": [1.0, None]}), tg.profile({"b": [3.0], "c": ["x"]})
    both = tg.merge([left, right])
    assert both.n_rows == 3
    assert [(c.name, c.n_present, c.n_null, c.n_absent) for c in both.values()] == [
        ("a", 2, 0, 1),
        ("b", 2, 1, 0),
        ("c", 1, 0, 2),
    ]
    assert both == tg.merge([right, left])


# ---- what fails changes nothing


def malformed() -> list[pa.RecordBatch]:
    """Batches whose last column points outside its buffers; pyarrow makes them without looking."""
    offsets = pa.py_buffer(struct.pack("<4i", 0, 1000, 2, 3))
    text = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"abc")])
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 1, 77], pa.int8()), ["a", "b"], safe=False)
    good = pa.array([1.0, 2.0, 3.0])
    return [
        pa.RecordBatch.from_arrays([good, bad], names=["float", name])
        for name, bad in (("word", text), ("colour", codes), ("new", text))
    ]


@in_every_setup
@pytest.mark.parametrize("which", range(3))
def test_a_refused_batch_changes_nothing(setup, which):
    batch = malformed()[which]
    profile = one_pass(LATER, setup)
    before = profile.to_bytes()
    if which == 2 and setup[0] is not None:
        profile.update(batch)  # a column that the reference does not know is counted, not looked at
        assert profile.unexpected == {"new": 3}
        return
    with pytest.raises(ArrowError, match=batch.schema.names[1]):
        profile.update(batch)
    assert profile.to_bytes() == before
    assert profile.n_rows == LATER.num_rows


def test_a_column_named_twice_changes_nothing():
    profile = tg.profile({"a": [1]})
    before = profile.to_bytes()
    twice = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(SchemaError, match="column 'a' appears twice in the batch; rename"):
        profile.update(_core.batch_from_capsules(*twice.__arrow_c_array__()))
    for data in (twice, pa.Table.from_batches([twice]), twice.slice(1)):
        with pytest.raises((InputError, SchemaError), match=r"column 'a' .* twice.*rename"):
            profile.update(data)
    assert profile.to_bytes() == before


@pytest.mark.parametrize("width", [0, 65_537])
def test_an_embedding_of_no_usable_width_is_counted_and_the_frame_is_kept(width):
    values = pa.array(np.zeros(2 * width))
    vectors = (
        pa.FixedSizeListArray.from_arrays(values, width)
        if width
        else pa.array([[], None], pa.list_(pa.float64(), 0))
    )
    profile = tg.profile(pa.table({"a": [1, 2], "vector": vectors, "z": [3, 4]}))
    assert profile["vector"].kind == "unsupported"
    assert profile["vector"].n_rows == 2
    assert [profile[name].sum for name in ("a", "z")] == [3, 7]


UNLIKE = {
    "another kind": ({"x": [1.0, 2.0]}, {"x": ["a", "b"]}, "one side is a number and the other a category"),
    "another number": ({"x": [1.0, 2.0]}, {"x": [1, 2]}, "of another type"),
    "another unit": (
        {"x": np.array([1], "M8[s]")},
        {"x": np.array([1], "M8[ns]")},
        "of another type; give both the same schema",
    ),
    "another width": ({"x": np.ones((2, 3))}, {"x": np.ones((2, 4))}, "of another type"),
}


@pytest.mark.parametrize("case", UNLIKE)
def test_a_refused_merge_changes_nothing(case):
    left, right, said = UNLIKE[case]
    a, b = tg.profile({"a": np.arange(len(left["x"])), **left}), tg.profile(right)
    before = a.to_bytes(), b.to_bytes()
    for first, second in ((a, b), (b, a)):
        with pytest.raises(MergeError, match=said.split(";")[0] if first is a else "column 'x'"):
            first.merge(second)
    assert (a.to_bytes(), b.to_bytes()) == before


def test_unlike_edges_and_accumulators_do_not_merge():
    other = tg.Reference.fit(rows(3_000, seed=9))
    full, light = one_pass(LATER, (REFERENCE, "full")), one_pass(LATER, (REFERENCE, "light"))
    for a, b, said in (
        (
            full,
            one_pass(LATER, (other, "full")),
            r"different edges; .*Reference\.fit\(data, edges=old_reference\)",
        ),
        (full, light, "different accumulators; profile both as"),
        (full, one_pass(LATER, (None, "full")), "different edges"),
    ):
        before = a.to_bytes(), b.to_bytes()
        with pytest.raises(MergeError, match=said):
            a.merge(b)
        with pytest.raises(MergeError, match=said):
            b.merge(a)
        assert (a.to_bytes(), b.to_bytes()) == before


def test_columns_that_appear_vanish_and_change_their_type():
    profile = tg.Profile.empty()
    profile.update({"a": [1, 2], "b": ["x", "y"]})
    profile.update({"b": [1.5, None], "c": [True, False]})
    profile.update({"a": [2.0, 2.5, 3.0], "b": ["x", "y", None]})
    told = {c.name: (c.n_rows, c.n_present, c.n_null, c.n_mistyped, c.n_absent) for c in profile.values()}
    assert told == {"a": (7, 4, 0, 1, 2), "b": (7, 4, 2, 1, 0), "c": (7, 2, 0, 0, 5)}
    assert profile["a"].sum == 8


# ---- bytes


def test_without_its_edges_a_profile_merges_but_takes_no_rows_and_tells_no_ranks():
    whole = one_pass(LATER, (REFERENCE, "full"))
    detached = tg.Profile.from_bytes(whole.to_bytes())
    assert detached.to_bytes() == whole.to_bytes()
    for name, column in detached.items():
        assert column.edges is None
        if REFERENCE.profile[name].edges is not None:
            assert column.n_above + column.n_below == whole[name].n_above + whole[name].n_below
            assert column.quantile(0.5) is None
            assert column.rank(0) is None
            assert "rank" not in column.error_bounds
    with pytest.raises(SchemaError, match=r"edges are not at hand.*from_bytes\(data, reference=\.\.\.\)"):
        detached.update(LATER)
    assert detached.to_bytes() == whole.to_bytes()
    detached.merge(whole)
    assert detached["plain"].edges is not None
    whole.merge(whole)
    assert detached == whole


def test_a_saved_profile_needs_nothing_else(tmp_path):
    whole = one_pass(LATER, (REFERENCE, "full"))
    whole.save(tmp_path / "day.tg")
    found = tg.load(tmp_path / "day.tg")
    assert found == whole
    found.update(LATER)
    whole.update(LATER)
    assert found == whole
    assert found["plain"].quantile(0.5) == whole["plain"].quantile(0.5)


RICH = [one_pass(rows(700), setup)._core.to_bytes(with_edges=True) for setup in SETUPS] + [
    tg.Reference.fit(rows(300)).to_bytes()
]
RICH_NAMES = [*NAMES, "a reference"]
of_every_sort = pytest.mark.parametrize("data", RICH, ids=RICH_NAMES)


@of_every_sort
def test_every_truncation_is_refused(data):
    view = memoryview(data)
    for size in range(len(data)):
        with pytest.raises(DecodeError):
            tg.Profile.from_bytes(view[:size])


@of_every_sort
def test_every_altered_bit_is_refused(data):
    draw = random.Random(5)
    for bit in [*range(12 * 8), *(draw.randrange(8 * len(data)) for _ in range(2000))]:
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DecodeError):
            tg.Profile.from_bytes(altered)


@of_every_sort
def test_a_byte_too_many_is_refused(data):
    with pytest.raises(DecodeError):
        tg.Profile.from_bytes(data + b"\0")


def signed(body: bytes) -> bytes:
    """The bytes with the checksum that belongs to them: forged, not damaged."""
    return body + struct.pack("<Q", _contract.hash_bytes(bytes(body), 1))


def sections(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The head, and each section's name and content."""
    at, found = 12, []
    while at < len(data) - 8:
        name, at, size, shift = data[at : at + 4], at + 4, 0, 0
        while True:
            size |= (data[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 128:
                break
        found.append((name, data[at : at + size]))
        at += size
    return data[:12], found


def container(head: bytes, content: list[tuple[bytes, bytes]]) -> bytes:
    body = bytearray(head)
    for name, section in content:
        body += name
        size = len(section)
        while size >= 128:
            body.append(size & 127 | 128)
            size >>= 7
        body.append(size)
        body += section
    return signed(body)


@of_every_sort
def test_the_container_is_what_the_format_says(data):
    head, content = sections(data)
    assert head == b"\x89TIDE\r\n\x1a" + struct.pack("<HH", 1, 1)
    assert container(head, content) == data
    assert {name for name, _ in content} >= {b"ROWS", b"SPEC", b"COLS"}
    # A later release may add sections; this one skips them.
    later = tg.Profile.from_bytes(container(head, [*content, (b"XTRA", b"anything")]))
    assert later == tg.Profile.from_bytes(data)
    for i, section in enumerate(content):
        with pytest.raises(DecodeError, match="a section appears twice"):
            tg.Profile.from_bytes(container(head, [*content, section]))
        if section[0] in {b"ROWS", b"SPEC", b"COLS"}:
            with pytest.raises(DecodeError, match="a section is missing"):
                tg.Profile.from_bytes(container(head, content[:i] + content[i + 1 :]))
    with pytest.raises(DecodeError, match="format version 2, but this release reads version 1; upgrade"):
        tg.Profile.from_bytes(container(head[:8] + struct.pack("<HH", 2, 1), content))


# What accepts forged bytes must go on as with any others: no crash, no hang, no error but its own.
FORGE = """
import faulthandler, random, resource, sys
faulthandler.enable()
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
sys.path[:0] = {path!r}
import numpy as np
import tidegauge as tg
from test_profile_laws import RICH, signed, rows
from tidegauge.errors import DecodeError, TidegaugeError

good, draw, more = RICH[{which}], random.Random({which}), rows(50, seed=8)
own = tg.Profile.from_bytes(good)
n_accepted = 0
for case in range({n}):
    body = bytearray(good[:-8])
    for _ in range(1 + draw.randrange(3)):
        at = draw.randrange(12, len(body))
        if draw.random() < 0.7:
            body[at] ^= 1 << draw.randrange(8)
        else:
            body[at] = draw.choice([0, 1, 127, 128, 255])
    try:
        profile = tg.Profile.from_bytes(signed(body))
    except DecodeError:
        continue
    n_accepted += 1
    assert tg.Profile.from_bytes(profile._core.to_bytes(with_edges=True)) == profile, case
    names = list(profile)
    for name in names:
        try:
            column = profile[name]
        except KeyError:
            continue  # a name that is no longer UTF-8
        column.to_dict(), column.top(20), column.counts, column.categories, column.error_bounds, repr(column)
    for call in (lambda: own.copy().merge(profile), lambda: profile.merge(own), lambda: profile.update(more)):
        try:
            call()
        except TidegaugeError:
            pass
    profile.to_bytes(), profile.joint
print(n_accepted)
"""


@pytest.mark.parametrize("which", range(len(RICH)), ids=RICH_NAMES)
def test_forged_bytes_never_crash(which):
    path = [str(Path(__file__).parent), *(p for p in sys.path if p)]
    code = FORGE.format(path=path, which=which, n=2000)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr.decode()[-3000:]
    # Not all is refused: counts that only look different are states like any other.
    assert 0 < int(run.stdout) < 2000


def test_the_first_typed_rows_decide_what_a_column_of_nulls_is():
    blank, typed = {"x": [None, None]}, {"x": [1.5, 2.5, None]}
    profile = tg.profile(blank)
    assert profile["x"].kind == "unsupported"
    profile.update(typed)
    assert (profile["x"].kind, profile["x"].n_null, profile["x"].mean) == ("number", 3, 2.0)
    assert tg.merge([tg.profile(blank), tg.profile(typed)])["x"].mean == 2.0
    assert tg.merge([tg.profile(typed), tg.profile(blank)])["x"].n_null == 3
    with pytest.raises(tg.errors.MergeError):
        tg.merge([tg.profile({"x": ["a"]}), tg.profile(typed)])

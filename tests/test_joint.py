"""Columns together: the engine's sums against NumPy on raw rows; laws, merging, hostile bytes."""

from __future__ import annotations

import struct
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tidegauge as tg
from tidegauge import _contract, _core
from tidegauge.errors import DecodeError, MergeError, SchemaError
from tidegauge.scores import SCORE_UNIT, normal_scores

LEVELS = _core.available_isas().split()
RANDOM = np.random.default_rng(1)


def rows(n: int, seed: int) -> pa.Table:
    """Numbers of two types, a boolean, and every way of having no value."""
    draw = np.random.default_rng(seed)
    a = draw.normal(size=n)
    b = np.exp(0.7 * a + draw.normal(size=n))
    b[draw.random(n) < 0.05] = np.nan
    b[draw.random(n) < 0.02] = np.inf
    mask = draw.random(n) < 0.1
    return pa.table(
        {
            "a": a,
            "b": pa.array(b, mask=mask, from_pandas=False),
            "count": pa.array(draw.poisson(2, n), mask=draw.random(n) < 0.03),
            "flag": pa.array(a > 1, mask=draw.random(n) < 0.2),
            "word": draw.choice(["x", "y"], n),
            "c": draw.exponential(size=n).astype(np.float32),
        }
    )


REFERENCE = tg.Reference.fit(rows(4_000, 1))
SPEC = REFERENCE.profile._core.joint_spec
LATER = rows(70_001, 2)


def scored(table: pa.Table, spec: _core.JointSpec, reference: tg.Reference) -> np.ndarray:
    """The scores of raw rows, value by value: int64 [n, d]."""
    found = np.zeros((table.num_rows, len(spec.names)), np.int64)
    for j, (name, scores) in enumerate(zip(spec.names, spec.scores, strict=True)):
        if name not in table.column_names:
            continue
        edges = reference.profile._core.column(name).spec.edges
        for i, value in enumerate(table[name].to_pylist()):
            if value is None or not np.isfinite(value):
                continue
            cell = int(value) if edges is None else int(np.sum(edges <= value))
            found[i, j] = scores[cell]
    return found


def cosine(phase: np.ndarray) -> np.ndarray:
    """The engine's polynomial, written out: phases as int64, a turn is 2^16."""
    phase = (phase + 2**15) % 2**16 - 2**15
    v = (16384 - np.abs(phase) + 2**15) % 2**16 - 2**15
    square = ((v * v) >> 16) * 4
    u = 12866 - ((square * (5275 - ((square * 2414) >> 16)) * 4) >> 16)
    return (v * u * 2) >> 16


def summed(z: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    upper = np.triu_indices(z.shape[1])
    phase = z @ weights.astype(np.int64).T * 8
    waves = np.stack([cosine(phase), cosine(phase - 2**14)], axis=-1).sum(axis=0).ravel()
    return [z.sum(axis=0), (z.T @ z)[upper], ((z**2).T @ z**2)[upper], waves]


def check_sums(told, z: np.ndarray, weights: np.ndarray) -> None:
    assert told[0] == len(z)
    for found, expected in zip(told[1:], summed(z, weights), strict=True):
        if len(found):
            assert found.tolist() == expected.tolist()


@pytest.fixture
def isa():
    before = _core.isa()
    yield before
    _core.force_isa(before)


# ---- kernels


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("d", [2, 3, 4, 5, 8, 9, 20, 63, 64])
def test_kernels(level, d, isa):
    for n in (0, 1, 7, 63, 64, 65, 500, 4_097):
        z = RANDOM.integers(-63, 64, (n, d)).astype(np.int8)
        if n == 4_097:
            z[:, 0], z[:, -1] = 63, -63  # what would overflow first
        weights = np.zeros((5, -(-d // 4) * 4), np.int8)
        weights[:, :d] = RANDOM.integers(-127, 128, (5, d))
        weights[0, :d] = 127
        expected = summed(z.astype(np.int64), weights[:, :d])
        found = [*_contract.kernel_add_scores(level, z), _contract.kernel_add_waves(level, z, weights)]
        for each, right in zip(found, expected, strict=True):
            assert each.tolist() == right.tolist(), n


@pytest.mark.parametrize("level", LEVELS)
def test_scores_fall_out_of_counting(level, isa):
    edges = np.sort(RANDOM.normal(size=200))
    scores = RANDOM.integers(-63, 64, 201).astype(np.int8)
    for n in range(1, 600, 7):
        x = RANDOM.normal(size=n)
        cells = np.searchsorted(edges, x, side="right")
        assert _contract.kernel_score_f64(level, x, edges, scores)[:n].tolist() == scores[cells].tolist()
        x = RANDOM.integers(-300, 300, n)
        whole = np.unique(RANDOM.integers(-250, 250, 200))
        expected = scores[np.searchsorted(whole, x, side="right")]
        found = _contract.kernel_score_i64(level, x, whole, scores[: len(whole) + 1])
        assert found[:n].tolist() == expected.tolist()


def test_the_wave_is_a_cosine():
    phase = np.arange(-(2**15), 2**15)
    assert np.abs(cosine(phase) - 4096 * np.cos(np.pi * phase / 2**15)).max() <= 3


# ---- scores


def test_normal_scores_by_hand():
    normal = NormalDist()
    q = np.array([normal.inv_cdf(p) for p in (0.1, 0.4, 0.8)])
    q -= 0.2 * q[0] + 0.4 * q[1] + 0.4 * q[2]
    assert normal_scores([20, 40, 40]).tolist() == np.rint(20 * q).tolist()
    assert normal_scores([0, 7, 0]).tolist()[1] == 0  # a constant says nothing
    assert normal_scores([0, *[1] * 256, 0]).tolist() == [-63, *normal_scores([1] * 256).tolist(), 63]


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=258).filter(any))
def test_normal_scores_ascend_and_average_to_nothing(counts):
    scores = normal_scores(counts).astype(np.int64)
    assert (np.diff(scores) >= 0).all()
    assert np.abs(scores).max() <= 63
    weight = np.array(counts, np.float64)
    # What is cut off at the ends (of one value in 1,200) and rounding.
    assert abs((scores * weight).sum() / weight.sum()) <= 0.5 + 63 / 2


def test_which_columns_are_scored():
    assert SPEC.names == ["a", "b", "count", "flag", "c"]
    assert REFERENCE.profile.joint.columns == ("a", "b", "count", "flag", "c")
    schema = tg.Schema.infer(rows(10, 1), score="a", label="flag")
    assert tg.Reference.fit(rows(500, 1), schema=schema).profile._core.joint_spec.names == ["b", "count", "c"]
    assert tg.Reference.fit(rows(500, 1), accumulators="light").profile.joint is None
    assert tg.Reference.fit({"a": RANDOM.normal(size=100)}).profile.joint is None
    wide = {f"x{i}": RANDOM.normal(size=50) for i in range(70)}
    assert tg.Reference.fit(wide).profile._core.joint_spec.names == [f"x{i}" for i in range(64)]


def test_old_edges_keep_the_scores():
    again = tg.Reference.fit(rows(900, 5), edges=REFERENCE)
    assert again.profile.joint.id == REFERENCE.profile.joint.id
    merged = tg.merge([tg.profile(rows(100, 6), REFERENCE), tg.profile(rows(100, 7), again)])
    assert merged.joint.n == 200


# ---- oracle and laws


@pytest.mark.parametrize("level", LEVELS)
def test_sums_of_raw_rows(level, isa):
    _core.force_isa(level)
    for n in (0, 1, 30, 47, 48, 49, 3_000):
        few = LATER.slice(5, n)
        profile = tg.profile(few, REFERENCE)
        check_sums(profile._core.joint.total, scored(few, SPEC, REFERENCE), SPEC.weights)


def test_snapshot():
    few = LATER.slice(0, 2_000)
    z = scored(few, SPEC, REFERENCE) / SCORE_UNIT
    joint = tg.profile(few, REFERENCE).joint
    assert joint.n == 2_000
    np.testing.assert_allclose(joint.means, z.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(joint.covariance, np.cov(z.T, bias=True), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(joint.correlation, np.corrcoef(z.T), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(joint.fourth_moments, (z**2).T @ z**2 / 2_000, rtol=1e-12)
    assert joint.waves.shape == (SPEC.n_waves, 2)
    assert np.isnan(tg.Profile.empty(REFERENCE).joint.means).all()
    constant = tg.profile(few.set_column(3, "flag", pa.array([True] * 2_000)), REFERENCE).joint
    assert np.isnan(constant.correlation[3]).all()
    assert np.isfinite(np.delete(np.delete(constant.correlation, 3, 0), 3, 1)).all()
    assert tg.profile(few).joint is None
    assert tg.profile(few, REFERENCE, accumulators="light").joint is None


@given(st.lists(st.integers(0, 3_000), max_size=6), st.randoms(use_true_random=False))
def test_order_splits_and_trees_do_not_show(cuts, choose):
    few = LATER.slice(0, 3_000)
    expected = [each.tolist() for each in tg.profile(few, REFERENCE)._core.joint.total[1:]]
    order = np.random.default_rng(choose.randrange(1000)).permutation(3_000)
    bounds = [0, *sorted(cuts), 3_000]
    parts = [tg.profile(few.take(order[b:e]), REFERENCE) for b, e in pairwise(bounds)]
    while len(parts) > 1:
        target, other = parts.pop(), parts.pop(choose.randrange(len(parts)))
        if choose.random() < 0.3:
            other = tg.Profile.from_bytes(other.to_bytes())
        target.merge(other)
        parts.append(target)
    assert [each.tolist() for each in parts[0]._core.joint.total[1:]] == expected


def test_threads_and_slices_do_not_show():
    many = pa.concat_tables([LATER] * 4).combine_chunks()
    one = tg.profile(many, REFERENCE, threads=1)
    assert tg.profile(many, REFERENCE, threads=3).to_bytes() == one.to_bytes()
    pieces = tg.Profile.empty(REFERENCE)
    for begin in range(0, many.num_rows, 9_973):
        pieces.update(many.slice(begin, 9_973))
    assert pieces.to_bytes() == one.to_bytes()


@pytest.mark.parametrize("threads", [1, 3])
def test_parts_of_a_reference(threads):
    """Drawn by the row's position: no batching shows, and they add up."""
    table = LATER.slice(0, 20_000)
    whole = tg.Reference.fit(table, threads=threads)
    spec = whole.profile._core.joint_spec
    z = scored(table, spec, whole)
    total, parts = whole.profile._core.joint.total, whole.profile._core.joint.parts
    assert len(parts) == 32
    check_sums(total, z, spec.weights)
    for at in (0, 1, 2, 4):
        assert np.sum([part[at] for part in parts], axis=0).tolist() == np.asarray(total[at]).tolist()
    assert all(500 < part[0] < 750 for part in parts)
    assert min(len(np.unique([part[1][j] for part in parts])) for j in range(z.shape[1])) > 25
    pieces = tg.Profile(_core.Profile(list(whole._specs.values()), spec, True))
    for begin in range(0, 20_000, 777):
        pieces.update(table.slice(begin, 777))
    assert pieces == whole.profile
    assert tg.Profile.empty(whole)._core.joint.parts == []


def test_parts_when_merged():
    parted = tg.Profile(_core.Profile(list(REFERENCE._specs.values()), SPEC, True))
    parted.update(LATER.slice(0, 500))
    both = tg.merge([parted, REFERENCE.profile])
    assert len(both._core.joint.parts) == 32
    assert sum(part[0] for part in both._core.joint.parts) == 4_500
    assert tg.merge([REFERENCE.profile, tg.profile(LATER.slice(0, 9), REFERENCE)])._core.joint.parts == []
    empty = tg.Profile.empty(REFERENCE)
    empty.merge(REFERENCE.profile)
    assert empty == REFERENCE.profile


# ---- where it ends


def test_columns_of_other_types_score_nothing():
    odd = pa.table({"a": ["x"] * 5, "b": [1.0] * 5, "count": pa.nulls(5), "flag": [1] * 5})
    joint = tg.profile(odd, REFERENCE)._core.joint
    z = np.zeros((5, 5), np.int64)
    z[:, 1] = SPEC.scores[1][np.searchsorted(REFERENCE.profile["b"].edges, 1.0, side="right")]
    check_sums(joint.total, z, SPEC.weights)


def test_unlike_scores_refuse_to_merge():
    specs = [column.spec for column in REFERENCE.profile._core.columns]
    other = _core.JointSpec(SPEC.names, SPEC.scores, SPEC.n_waves, 99)
    ours, theirs = tg.profile(LATER.slice(0, 50), REFERENCE), tg.Profile(_core.Profile(specs, other))
    theirs.update(LATER.slice(0, 50))
    before = ours.to_bytes(), theirs.to_bytes()
    for left, right in ((ours, theirs), (theirs, ours)):
        with pytest.raises(MergeError, match=r"scored .* differently; .*Reference\.fit\(data, edges=old"):
            left.merge(right)
    assert (ours.to_bytes(), theirs.to_bytes()) == before


def test_a_sum_of_one_side_without_a_joint_has_none():
    without = tg.Profile(_core.Profile([column.spec for column in REFERENCE.profile._core.columns]))
    without.update(LATER.slice(0, 50))
    ours = tg.profile(LATER.slice(0, 50), REFERENCE)
    for left, right in ((ours, without), (without, ours)):
        assert tg.merge([left, right]).joint is None
        assert tg.merge([left, right]).n_rows == 100
    assert tg.merge([tg.Profile.empty(), ours]).joint.n == 50
    assert tg.merge([ours, tg.Profile.empty()]).joint.n == 50


def test_more_rows_than_the_sums_can_hold():
    profile = tg.profile(LATER.slice(0, 1 << 10), REFERENCE)
    for _ in range(28):
        profile.merge(profile)
    assert profile.joint.n == 1 << 38
    assert tg.Profile.from_bytes(profile.to_bytes()).joint.n == 1 << 38
    more = profile.copy()
    more.update(LATER.slice(0, 1))
    profile.merge(profile)
    assert (profile.n_rows, profile.joint, more.joint) == (1 << 39, None, None)


def test_without_its_scores_it_merges_and_takes_no_rows():
    profile = tg.profile(LATER.slice(0, 100), REFERENCE)
    detached = tg.Profile.from_bytes(profile.to_bytes())
    assert detached.joint.columns is None
    with pytest.raises(SchemaError, match=r"not at hand.*from_bytes\(data, reference="):
        detached.update(LATER.slice(0, 1))
    with pytest.raises(SchemaError, match=r"joint: its scores .*from_bytes\(data, reference="):
        detached.update({"flag": [True]})
    detached.merge(profile)
    assert detached.joint.n == 200
    attached = tg.Profile.from_bytes(profile.to_bytes(), REFERENCE)
    attached.update(LATER.slice(100, 100))
    assert attached == tg.profile(LATER.slice(0, 200), REFERENCE)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: _core.JointSpec(["a"], [[0, 1]], 1), "of 1 columns; 2 to 64"),
        (lambda: _core.JointSpec([str(i) for i in range(65)], [[0, 1]] * 65, 1), "of 65 columns"),
        (lambda: _core.JointSpec(["a", "a"], [[0, 1]] * 2, 1), "'a' is named twice"),
        (lambda: _core.JointSpec(["a", "b"], [[0, 64]] * 2, 1), "'a' has the score 64; .*-63 to 63"),
        (lambda: _core.JointSpec(["a", "b"], [[0], [0, 1]], 1), "scores for 1 cells; it needs 2 to 258"),
        (lambda: _core.JointSpec(["a", "b"], [[0, 1]], 1), "a table of scores for each name"),
        (lambda: _core.JointSpec(["a", "b"], [[0, 1]] * 2, 257), "257 waves; at most 256"),
        (lambda: _core.Profile([], SPEC), "column 'a', which is not there; take"),
        (
            lambda: _core.Profile(
                [column.spec for column in REFERENCE.profile._core.columns],
                _core.JointSpec(["a", "b"], [[0, 1]] * 2, 1),
            ),
            "for 2 cells of column 'a', which has",
        ),
    ],
)
def test_refusals(make, said):
    with pytest.raises(SchemaError, match=said):
        make()


# ---- bytes


def varint(value: int) -> bytes:
    out = b""
    while value >= 128:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def signed(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def with_section(data: bytes, name: bytes, content: bytes) -> bytes:
    """A profile's bytes with one section more, and the checksum that belongs to them."""
    body = data[:-8] + name + varint(len(content)) + content
    return body + struct.pack("<Q", _contract.hash_bytes(body, 1))


PLAIN = _core.Profile([column.spec for column in REFERENCE.profile._core.columns]).to_bytes(False)


def joint_section(d=2, n_waves=0, n=0, sums=(0, 0), products=(0, 0, 0), squares=(0, 0, 0), tail=b"\0"):
    numbers = b"".join(signed(x) for x in (*sums, *products, *squares))
    return struct.pack("<Q", 7) + varint(d) + varint(n_waves) + varint(n) + numbers + tail


def test_the_section_is_what_the_format_says():
    profile = tg.profile(LATER.slice(0, 300), REFERENCE)
    joint = profile._core.joint
    d, n_waves = len(SPEC.names), SPEC.n_waves
    sums = [int(x) for each in joint.total[1:] for x in each]
    head = struct.pack("<Q", joint.id) + varint(d) + varint(n_waves) + varint(300)
    content = head + b"".join(map(signed, sums)) + b"\0"
    assert b"JOIN" + varint(len(content)) + content in profile.to_bytes()
    empty, _ = _core.Profile.from_bytes(with_section(PLAIN, b"JOIN", joint_section()))
    assert (empty.joint.id, empty.joint.n_columns, empty.joint.n_waves) == (7, 2, 0)
    with pytest.raises(DecodeError, match="not of the same rows"):
        _core.Profile.from_bytes(with_section(PLAIN, b"JOIN", joint_section(n=1)))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (joint_section(d=1), "a number of columns or waves"),
        (joint_section(d=65), "a number of columns or waves"),
        (joint_section(n_waves=2**60), "a number of columns or waves"),
        (joint_section(d=64), "fewer sums than its columns have"),
        (joint_section(n=2**39), r"more than 2\^38 rows"),
        (joint_section(tail=b"\2"), "not a flag"),
        (joint_section(tail=b"\1"), "needs|fewer sums"),
        (joint_section(tail=b"\0\0"), "bytes too many"),
        (joint_section(n=1, sums=(64, 0)), "so few rows"),
        (joint_section(n=1, sums=(3, 0), products=(8, 0, 0)), "no rows have together"),  # parity
        (joint_section(n=1, sums=(3, 0), products=(7, 0, 0), squares=(81, 0, 0)), "no rows have"),  # 1, z
        (joint_section(n=1, products=(4, 3, 2), squares=(16, 9, 4)), "no rows have together"),  # z, z
        (joint_section(n=1, products=(-2, 0, 0)), "no rows have together"),
        (joint_section(n=1, sums=(2, 0), products=(4, 0, 0), squares=(14, 0, 0)), "no rows have"),  # 1, zz
        (joint_section(n=1, sums=(2, 2), products=(4, 4, 4), squares=(16, 18, 16)), "no rows have"),  # zz, zz
        (joint_section(n=1, squares=(0, 0, -2)), "no rows have together"),
    ],
)
def test_impossible_sums_are_refused(section, said):
    with pytest.raises(DecodeError, match=said):
        _core.Profile.from_bytes(with_section(PLAIN, b"JOIN", section))


def test_scores_without_sums_or_of_another_id_are_refused():
    scores = struct.pack("<Q", 1) + varint(0) + varint(2) + b"\1a\2\0\1" + b"\1b\2\0\1"
    with pytest.raises(DecodeError, match="scores that its sums are not of"):
        _core.Profile.from_bytes(with_section(PLAIN, b"JSPC", scores))
    both = with_section(with_section(PLAIN, b"JOIN", joint_section()), b"JSPC", scores)
    with pytest.raises(DecodeError, match="scores that its sums are not of"):
        _core.Profile.from_bytes(both)
    with pytest.raises(DecodeError, match="announces"):
        _core.Profile.from_bytes(with_section(PLAIN, b"JSPC", scores[:9] + varint(2**40)))


def test_embeddings_have_a_covariance():
    vectors = RANDOM.normal(size=(1_000, 7)) @ RANDOM.normal(size=(7, 7)) + 3
    vectors[5, 2] = np.nan
    good = np.delete(vectors, 5, axis=0)
    profile = tg.profile({"v": vectors})
    np.testing.assert_allclose(profile["v"].covariance, np.cov(good.T, bias=True), rtol=1e-9, atol=1e-9)
    halves = tg.merge([tg.profile({"v": vectors[:300]}), tg.profile({"v": vectors[300:]})])
    np.testing.assert_allclose(halves["v"].covariance, profile["v"].covariance, rtol=1e-9, atol=1e-9)
    pieces = tg.Profile.empty()
    for begin in range(0, 1_000, 77):
        pieces.update({"v": vectors[begin : begin + 77]})
    assert pieces == profile
    assert tg.profile({"v": vectors}, accumulators="light")["v"].covariance is None
    assert tg.profile({"v": np.ones((3, 257))})["v"].covariance is None
    assert tg.profile({"v": np.full((3, 2), 1e200)})["v"].covariance is None
    assert tg.profile({"v": np.ones((0, 3))})["v"].covariance is None


@pytest.mark.parametrize("level", LEVELS)
def test_embeddings_at_every_level(level, isa):
    vectors = np.random.default_rng(4).normal(size=(700, 37))
    expected = tg.profile({"v": vectors}).to_bytes()
    _core.force_isa(level)
    assert tg.profile({"v": vectors}).to_bytes() == expected

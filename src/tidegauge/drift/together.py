"""Columns together: whether the joint distribution of a profile's numeric columns moved, how far, and which.

Three tests on the joint of `tidegauge.joints`, combined: of means, of second moments, of the distribution at
large. Correlations that turn while every column stays as it was are found here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tidegauge.drift import multivariate
from tidegauge.drift.omnibus import combine_p_values
from tidegauge.errors import MergeError
from tidegauge.joints import Joint
from tidegauge.measurement import Direction, Measurement, Status, defined

Floats = npt.NDArray[np.float64]

ROWS_PER_COLUMN = 10  # of the window and of the reference: fewer do not tell a covariance matrix
MIN_EFFECTIVE_ROWS = 10  # a column whose variance fewer extreme rows would make has no normal mean
MIN_PART_ROWS = 30  # of each part of the reference, for its means to be nearly normal
SHOWN_PAIRS = 5
PAIR_TOLD = 0.01  # of a pair, times the pairs: one with a larger p is not named as the cause
_LARGEST = 0.9  # of a p in the combination; makes it too small by a factor of at most 1.05
COMPONENTS = ("means", "sum of second moments", "largest second moment", "joint distribution")


class Profiled(Protocol):
    """A profile, as far as its columns together are read."""

    @property
    def joint(self) -> Joint | None: ...  # noqa: D102
    def __getitem__(self, name: str, /) -> Any: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...


@dataclass(frozen=True, slots=True)
class Pair:
    """Two columns (of equal names: the spread of one) whose product's mean changed.

    `reference`, `current`: correlation of their scores, for a column with itself the variance; None where one
    does not vary. `z`: the change of the product's mean in its standard errors. `p_value`: times the number
    of pairs (Bonferroni).
    """

    columns: tuple[str, str]
    reference: float | None
    current: float | None
    z: float
    p_value: float


@dataclass(frozen=True, slots=True)
class ColumnPart:
    """A column's part of Hotelling's T^2 (together 1; it may be negative) and its change of mean score."""

    column: str
    share: float
    mean_change: float


@dataclass(frozen=True, slots=True)
class EmbeddingChange:
    """An embedding: Hotelling's test of its mean vector, and how far its mean and covariance moved.

    `effect`: square root of the Frechet distance over the reference's total variance, less what chance adds;
    None, and `why` says so, where there are too few rows or no covariance is kept.
    """

    column: str
    p_value: float | None
    effect: float | None
    n_reference: int
    n_current: int
    why: str | None


@dataclass(frozen=True, slots=True)
class Multivariate:
    """What became of the columns together.

    `p_value`: the Cauchy combination of `p_values`, by the names in COMPONENTS; None, and `why` says so,
    where nothing could be tested. `component`: which of them has the smallest p. `effect`: the Frechet
    distance of the scores per column, as the shift of every column, in standard deviations, that is as far;
    less what chance adds (higher is worse). `status`: the verdict, `undefined` until `judged`. `pairs`: those
    that changed most; `columns`: by their part of T^2, the largest first. `n_reference`, `n_current`: rows.
    """

    p_value: float | None
    component: str | None
    why: str | None
    p_values: dict[str, float | None]
    effect: float | None
    n_reference: int
    n_current: int
    pairs: tuple[Pair, ...]
    columns: tuple[ColumnPart, ...]
    embeddings: tuple[EmbeddingChange, ...]
    measurements: tuple[Measurement, ...]
    status: Status = "undefined"

    @property
    def family(self) -> list[float]:
        """The p that belong to the family of a comparison: of all columns together, of each embedding."""
        known = [self.p_value, *(each.p_value for each in self.embeddings)]
        return [p for p in known if p is not None]

    @property
    def summary(self) -> str:
        """What was found, in a sentence."""
        loud = [each.column for each in self.embeddings if each.p_value is not None]
        if self.p_value is None and not loud:
            return f"columns together: not tested ({self.why})"
        if self.status == "ok":
            return "columns together: as in the reference"
        if self.status != "warning":
            return "columns together: tested as if rows were independent, and not judged"
        turned = [each for each in self.pairs if len(set(each.columns)) == 2 and each.p_value <= PAIR_TOLD]
        if self.component == "means" or not turned:
            most = ", ".join(each.column for each in self.columns[:3]) or ", ".join(loud)
            return f"columns together changed, most of all {most}"
        a, b = turned[0].columns
        ends = (turned[0].reference, turned[0].current)
        change = " -> ".join("none" if each is None else f"{each:.2f}" for each in ends)
        return f"columns together changed: correlation of {a} and {b} {change}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able."""
        plain = ("status", "p_value", "component", "why", "p_values", "effect", "n_reference", "n_current")
        return {
            "summary": self.summary,
            **{name: getattr(self, name) for name in plain},
            **{
                name: [asdict(each) for each in getattr(self, name)]
                for name in ("pairs", "columns", "embeddings")
            },
            "measurements": [each.to_dict() for each in self.measurements],
        }

    def judged(self, limit: float) -> Multivariate:
        """Return the same with its verdict: `warning` where a p of the family is at most `limit`."""
        status: Status = "warning" if min(self.family, default=1.0) <= limit else "ok"
        if not self.family:
            status = "insufficient"
        told = tuple(_with_verdict(each, limit) for each in self.measurements)
        return replace(self, status=status, measurements=told)


def multivariate_outcome(reference: Profiled, current: Profiled) -> Multivariate | None:
    """Compare the joints of two profiles; None where a side has neither a joint nor an embedding in common.

    Rows are taken as independent. `reference` should be a reference's own profile: the tests of second
    moments together and of the distribution need the parts of its rows that a fit keeps; without them the
    means and the largest second moment are tested. Raises MergeError if the two were scored differently.
    """
    embeddings = tuple(_embeddings(reference, current))
    a, b = reference.joint, current.joint
    if a is None or b is None:
        return _without_joint(embeddings) if embeddings else None
    if a.id != b.id:
        raise MergeError(
            f"joint: scored by {a.id} in the reference and by {b.id} in the profile; make the profile with "
            "this reference, or fit the reference with edges=old to keep the old scores"
        )
    names = a.columns or b.columns or tuple(f"column {i}" for i in range(len(a.means)))
    needed = ROWS_PER_COLUMN * len(names)
    if min(a.n, b.n) < needed:
        few, side = (b.n, "window") if b.n < needed else (a.n, "reference")
        why = f"{len(names)} columns together need {needed:,} rows, and the {side} has {few:,}"
        nothing = dict.fromkeys(COMPONENTS)
        told = tuple(_told_embeddings(embeddings))
        return Multivariate(None, None, why, nothing, None, a.n, b.n, (), (), embeddings, told)
    return _tested(names, a, b, embeddings)


def _tested(
    names: tuple[str, ...], a: Joint, b: Joint, embeddings: tuple[EmbeddingChange, ...]
) -> Multivariate:
    n, m = a.n, b.n
    own, now = a.covariance, b.covariance
    variance = (n * np.diagonal(own) + m * np.diagonal(now)) / (n + m)
    enough = n * m / (n + m) * variance >= MIN_EFFECTIVE_ROWS * a.largest**2
    varied = np.flatnonzero(enough & (variance > 0))
    some = np.ix_(varied, varied)
    mean = multivariate.hotelling_t2((a.means[varied], own[some]), (b.means[varied], now[some]), n, m)
    parts = a.parts if min((part.n for part in a.parts), default=0) >= MIN_PART_ROWS else ()
    rows = np.array([part.n for part in parts])
    assert a.fourth_moments is not None
    assert b.fourth_moments is not None
    second = multivariate.covariance_test(
        (a.second_moments, a.fourth_moments),
        (b.second_moments, b.fourth_moments),
        n,
        m,
        parts=(np.array([part.second_moments for part in parts]), rows),
        largest=a.largest,
    )
    kernel = multivariate.KernelTest(np.nan, np.nan)
    if len(a.waves) and parts:
        waves = np.array([part.waves for part in parts])
        kernel = multivariate.rff_mmd(a.waves, b.waves, n, m, parts=(waves, rows))
    p = np.array([mean.p, second.p, second.p_largest, kernel.p])
    # A p near 1, as that of the largest of many pairs often is, must not outweigh what another test found.
    combined = defined(float(combine_p_values(np.minimum(p, _LARGEST))))
    winner = None if combined is None else COMPONENTS[int(np.nanargmin(p))]
    moments = (a.means, own), (b.means, now)
    distance = multivariate.frechet(*moments)
    beyond = max(distance - multivariate.frechet_floor(own, n, m), 0.0)
    effect = float(np.sqrt(beyond / len(names)))
    lost = multivariate.pca_reconstruction_error(*moments)
    shares = np.full(len(names), np.nan)
    shares[varied] = mean.shares
    told = [
        _told("multivariate_drift", effect, n, m, p=combined, against=0.0),
        _told("hotelling_t2", mean.statistic, n, m, p=mean.p, against=float(mean.rank)),
        _told("second_moment_change", second.statistic, n, m, p=second.p, against=float(second.n_pairs)),
        _told("largest_second_moment_change", _largest(second.z), n, m, p=second.p_largest),
        _told("mmd", kernel.distance, n, m, p=kernel.p, against=0.0),
        _told("pca_reconstruction_error", lost[0], n, m, against=lost[1]),
    ]
    return Multivariate(
        combined,
        winner,
        None if combined is not None else "no column varies in enough rows",
        {name: defined(float(each)) for name, each in zip(COMPONENTS, p, strict=True)},
        effect,
        n,
        m,
        tuple(_pairs(names, a, b, second)),
        tuple(_column_parts(names, shares, b.means - a.means)),
        embeddings,
        (*told, *_told_embeddings(embeddings)),
    )


def _largest(z: Floats) -> float:
    return float(np.nanmax(np.abs(z))) if np.isfinite(z).any() else np.nan


def _pairs(names: tuple[str, ...], a: Joint, b: Joint, test: multivariate.CovarianceTest) -> Iterator[Pair]:
    """Yield the pairs of the largest |z|."""
    from scipy.special import ndtr

    row, column = np.triu_indices(len(names))
    z = test.z[row, column]
    before, after = a.correlation, b.correlation
    order = np.argsort(-np.abs(z), kind="stable")  # NaN last
    for at in order[: min(SHOWN_PAIRS, test.n_pairs)].tolist():
        i, j = int(row[at]), int(column[at])
        own = (a.covariance[i, i], b.covariance[i, i]) if i == j else (before[i, j], after[i, j])
        p = min(1.0, 2.0 * float(ndtr(-abs(z[at]))) * test.n_pairs)
        yield Pair((names[i], names[j]), defined(own[0]), defined(own[1]), float(z[at]), p)


def _column_parts(names: tuple[str, ...], shares: Floats, change: Floats) -> Iterator[ColumnPart]:
    for at in np.argsort(-shares, kind="stable").tolist():
        if np.isfinite(shares[at]):
            yield ColumnPart(names[at], float(shares[at]), float(change[at]))


def _embeddings(reference: Profiled, current: Profiled) -> Iterator[EmbeddingChange]:
    """Yield every embedding that both sides have."""
    for name in reference:
        if name not in current or {reference[name].kind, current[name].kind} != {"embedding"}:
            continue
        a, b = reference[name], current[name]
        sizes = a.n_present, b.n_present
        if a.covariance is None or b.covariance is None or a.covariance.shape != b.covariance.shape:
            why = "no covariance is kept on both sides: light profiles and more than 256 floats have none"
            yield EmbeddingChange(name, None, None, *sizes, why)
            continue
        needed = ROWS_PER_COLUMN * len(a.mean_vector)
        if min(sizes) < needed:
            why = f"{len(a.mean_vector)} floats together need {needed:,} rows, and a side has {min(sizes):,}"
            yield EmbeddingChange(name, None, None, *sizes, why)
            continue
        moments = (a.mean_vector, a.covariance), (b.mean_vector, b.covariance)
        floor = multivariate.frechet_floor(a.covariance, *sizes)
        variance = float(np.trace(a.covariance))
        beyond = max(multivariate.frechet(*moments) - floor, 0.0)
        effect = defined(np.sqrt(beyond / variance)) if variance > 0 else None
        yield EmbeddingChange(
            name, defined(multivariate.hotelling_t2(*moments, *sizes).p), effect, *sizes, None
        )


def _with_verdict(measured: Measurement, limit: float) -> Measurement:
    """Return a measurement of the family with its status; others as they are."""
    if measured.name not in {"multivariate_drift", "embedding_drift"} or measured.p_value is None:
        return measured
    return replace(measured, status="warning" if measured.p_value <= limit else "ok")


def _without_joint(embeddings: tuple[EmbeddingChange, ...]) -> Multivariate:
    return Multivariate(
        None,
        None,
        "a side has no joint: light profiles, fewer than two judged numeric columns, or an older version",
        dict.fromkeys(COMPONENTS),
        None,
        max(each.n_reference for each in embeddings),
        max(each.n_current for each in embeddings),
        (),
        (),
        embeddings,
        tuple(_told_embeddings(embeddings)),
    )


def _told_embeddings(embeddings: tuple[EmbeddingChange, ...]) -> Iterator[Measurement]:
    for each in embeddings:
        yield Measurement(
            name="embedding_drift",
            value=each.effect,
            column=each.column,
            n_reference=each.n_reference,
            n_current=each.n_current,
            p_value=each.p_value,
            direction="higher_is_worse",
            reference_value=None if each.effect is None else 0.0,
            status="ok" if each.why is None else "insufficient",
        )


def _told(
    name: str, value: float, n: int, m: int, *, p: float | None = None, against: float | None = None
) -> Measurement:
    direction: Direction = "higher_is_worse"
    number = defined(value)
    return Measurement(
        name=name,
        value=number,
        n_reference=n,
        n_current=m,
        p_value=None if p is None else defined(p),
        direction=direction,
        reference_value=against if number is not None else None,
        status="ok" if number is not None else "undefined",
    )

"""A metric over windows: what labels told, what scores alone made expect, the reference and the limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log10

from tidegauge.measurement import Measurement
from tidegauge.report.axis import short
from tidegauge.report.svg import coordinate, line, text
from tidegauge.tables import escaped, printable

WIDTH, HEIGHT = 360.0, 150.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 8.0, 8.0, 22.0


@dataclass(frozen=True, slots=True)
class Point:
    """A metric in one window: as realised and as estimated, None where it was not."""

    when: str
    realised: Measurement | None
    estimated: Measurement | None

    @property
    def both(self) -> tuple[Measurement, ...]:
        """What there is."""
        return tuple(each for each in (self.realised, self.estimated) if each is not None)


def metric_chart(name: str, points: Sequence[Point]) -> str:
    """Return an `<svg>` of 360 x 150 with a text alternative; "" where nothing is defined.

    Realised values are a line with the band of their intervals, estimated ones a dashed line with theirs; the
    reference is a grid line, limits are dashes. Windows stand at equal distances.
    """
    low, high = span(points)
    if not low < high:
        return ""

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - min(max(value, low), high)) / (high - low)

    def x(place: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (place + 0.5) / len(points)

    parts = [grid(value, y(value)) for value in round_values(low, high)]
    known = [each.reference_value for point in points for each in point.both]
    reference = next((value for value in known if value is not None), None)
    if reference is not None and low <= reference <= high:
        parts.append(line("a", LEFT, y(reference), f"H{coordinate(WIDTH - RIGHT)}"))
    for kind, band, stroke, dot in (("estimated", "v", "u", ""), ("realised", "q", "c", "f")):
        found = [getattr(point, kind) for point in points]
        parts += bands(band, found, x, y)
        parts.append(path(stroke, found, x, y, lambda each: each.value))
        if dot:
            parts += [
                f'<circle class="{dot}" cx="{coordinate(x(i))}" cy="{coordinate(y(each.value))}" r="2.2"/>'
                for i, each in enumerate(found)
                if each is not None and each.value is not None
            ]
    judged = [point.realised if has_limit(point.realised) else point.estimated for point in points]
    parts.append(path("b", judged, x, y, lambda each: inside(each.threshold, low, high)))
    parts.append(text(LEFT, HEIGHT - 6, points[0].when, "s"))
    if len(points) > 1:
        parts.append(text(WIDTH - RIGHT, HEIGHT - 6, points[-1].when, "e"))
    size = f"{coordinate(WIDTH)} {coordinate(HEIGHT)}"
    return (
        f'<svg class="chart" role="img" aria-label="{escaped(words(name, points), 500)}" '
        f'viewBox="0 0 {size}">{"".join(parts)}</svg>'
    )


def span(points: Sequence[Point]) -> tuple[float, float]:
    """Return the range drawn: values, intervals, the reference, and limits that are not far off."""
    near: list[float] = []
    limits: list[float] = []
    for each in (each for point in points for each in point.both if each.value is not None):
        near += [
            value for value in (each.value, each.low, each.high, each.reference_value) if value is not None
        ]
        limits += [] if each.threshold is None else [each.threshold]
    if not near:
        return 0.0, 0.0
    low, high = min(near), max(near)
    room = (high - low) or abs(high) or 1.0
    kept = [limit for limit in limits if low - 1.5 * room <= limit <= high + 1.5 * room]
    low, high = min([low, *kept]), max([high, *kept])
    return low - 0.04 * room, high + 0.04 * room


def has_limit(each: Measurement | None) -> bool:
    """Tell whether a measurement was judged."""
    return each is not None and each.threshold is not None and each.value is not None


def inside(value: float | None, low: float, high: float) -> float | None:
    """Return a value that is in the range drawn."""
    return value if value is not None and low <= value <= high else None


def round_values(low: float, high: float) -> list[float]:
    """Return a few round values within a range."""
    step = 10.0 ** floor(log10((high - low) / 2))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 4)
    first = int(-(-low // step))
    return [i * step for i in range(first, first + 6) if i * step <= high]


def grid(value: float, y: float) -> str:
    """Return a grid line with its value."""
    return line("l", LEFT, y, f"H{coordinate(WIDTH - RIGHT)}") + text(LEFT - 4, y + 4, short(value), "e")


def path(
    style: str,
    found: Sequence[Measurement | None],
    x: Callable[[int], float],
    y: Callable[[float], float],
    of: Callable[[Measurement], float | None],
) -> str:
    """Return a line through what is defined, broken where nothing is; a single value is a short dash."""
    told, pen_up = [], True
    for i, each in enumerate(found):
        value = None if each is None or each.value is None else of(each)
        if value is None:
            pen_up = True
            continue
        at = f"{coordinate(x(i))} {coordinate(y(value))}"
        alone = i + 1 == len(found) or found[i + 1] is None
        told.append(f"M{at}" + ("h4" if alone else "") if pen_up else f"L{at}")
        pen_up = False
    return f'<path class="{style}" d="{"".join(told)}"/>' if told else ""


def bands(
    style: str, found: Sequence[Measurement | None], x: Callable[[int], float], y: Callable[[float], float]
) -> list[str]:
    """Return the intervals of what is defined as filled bands, broken where nothing is."""
    runs: list[list[tuple[int, float, float]]] = [[]]
    for i, each in enumerate(found):
        if each is None or each.low is None or each.high is None:
            runs.append([])
        else:
            runs[-1].append((i, each.low, each.high))
    told = []
    for run in runs:
        if run:
            ends = [(x(i), high) for i, _, high in run] + [(x(i), low) for i, low, _ in reversed(run)]
            if len(run) == 1:  # as wide as a dot
                (i, low, high) = run[0]
                ends = [(x(i) - 2, high), (x(i) + 2, high), (x(i) + 2, low), (x(i) - 2, low)]
            corners = "L".join(f"{coordinate(a)} {coordinate(y(b))}" for a, b in ends)
            told.append(f'<path class="{style}" d="M{corners}z"/>')
    return told


def words(name: str, points: Sequence[Point]) -> str:
    """Say what the chart shows: the first and the last value of each kind, and the reference."""
    told = []
    for kind in ("realised", "estimated"):
        values = [each.value for point in points if (each := getattr(point, kind)) is not None]
        known = [value for value in values if value is not None]
        if known:
            told.append(f"{kind} {known[0]:.3g} at first, {known[-1]:.3g} at last")
    return f"{printable(name, 60)} over {len(points):,} windows: {'; '.join(told)}"

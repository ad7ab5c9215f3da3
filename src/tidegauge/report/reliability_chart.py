"""Whether rows with score p are positive in p of cases: the reliability curve."""

from __future__ import annotations

from tidegauge.outcomes.calibration import ReliabilityCurve
from tidegauge.report.svg import coordinate, line, text
from tidegauge.tables import escaped

SIZE, LEFT, BOTTOM = 220.0, 34.0, 30.0


def reliability_chart(curve: ReliabilityCurve) -> str:
    """Return an `<svg>` of 220 x 220: shares of positives with intervals over scores, and the diagonal."""
    side = SIZE - LEFT - 8.0

    def x(score: float) -> float:
        return LEFT + side * min(max(score, 0.0), 1.0)

    def y(share: float) -> float:
        return SIZE - BOTTOM - (SIZE - BOTTOM - 8.0) * min(max(share, 0.0), 1.0)

    parts = [
        line("a", x(0), y(0), f"L{coordinate(x(1))} {coordinate(y(1))}"),
        line("l", x(0), y(0), f"H{coordinate(x(1))}"),
        line("l", x(0), y(0), f"V{coordinate(y(1))}"),
    ]
    for at in (0.0, 0.5, 1.0):
        parts.append(text(LEFT - 4, y(at) + 4, f"{at:g}", "e"))
        parts.append(text(x(at), SIZE - BOTTOM + 13, f"{at:g}", "m"))
    parts.append(text(x(0.5), SIZE - 4, "score", "m"))
    for score, share, low, high in zip(curve.scores, curve.shares, curve.low, curve.high, strict=True):
        parts.append(line("c", x(score), y(low), f"V{coordinate(y(high))}"))
        parts.append(f'<circle class="f" cx="{coordinate(x(score))}" cy="{coordinate(y(share))}" r="3"/>')
    worst = max(zip(curve.scores, curve.shares, strict=True), key=lambda pair: abs(pair[0] - pair[1]))
    words = (
        f"Reliability: of rows scored {worst[0]:.2f} on average, {worst[1]:.2f} are positive, the largest gap"
    )
    size = f"{coordinate(SIZE)} {coordinate(SIZE)}"
    label = escaped(words, 300)
    return f'<svg class="square" role="img" aria-label="{label}" viewBox="0 0 {size}">{"".join(parts)}</svg>'

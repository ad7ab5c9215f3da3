"""What the tests of reports share: comparisons, real and hostile, and Chromium without a window."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tidegauge as tg
from tidegauge.comparison import ColumnComparison, Comparison
from tidegauge.measurement import Measurement

COUNTRIES = ("SE", "DE", "FR", "GB", "US", "NO", "DK", "FI", "PL", "ES", "IT", "NL", "BE")


def rows(n: int, seed: int, n_columns: int, *, drifted: bool = False) -> dict[str, np.ndarray]:
    """Made-up data: ten columns of every sort, and as many plain ones as it takes."""
    rng = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {
        "amount": rng.lognormal(3, 1, n),
        "age": rng.integers(18, 90, n),
        "country": rng.choice(COUNTRIES, n, p=np.arange(13, 0, -1) / 91),
        "balance": rng.normal(1_000, 2_500, n),
        "n_items": rng.poisson(2.2, n),
        "is_new": rng.random(n) < 0.3,
        "constant": np.full(n, 7.5),
        "gone": rng.normal(size=n),
        "rare": rng.choice([f"r{i}" for i in range(40)], n),
        "temperature": rng.normal(20, 5, n),
    }
    if drifted:
        made["amount"][: n // 5] *= 100
        made["country"] = np.where(rng.random(n) < 0.12, "BR", made["country"])
        made["balance"][rng.random(n) < 0.07] = np.nan
        made["temperature"][rng.random(n) < 0.05] = 21.5
        made["n_items"] = rng.poisson(2.6, n)
        del made["gone"]
    for i in range(n_columns - 10):
        values = rng.normal(i, 1 + i / 10, n) if i % 5 else rng.choice([f"v{j}" for j in range(4 + i % 9)], n)
        made[f"feature_{i:02d}"] = values
    return made


def compared(n_columns: int, n_reference: int = 20_000, n_current: int = 8_000) -> Comparison:
    reference = tg.Reference.fit(rows(n_reference, 1, n_columns))
    return tg.compare(reference, tg.profile(rows(n_current, 2, n_columns, drifted=True), reference))


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    """Twelve columns, of which seven have an alert, one of them because it is gone."""
    return compared(12)


@pytest.fixture(scope="session")
def wide() -> Comparison:
    """A hundred columns, some of which changed."""
    return compared(100)


@pytest.fixture(scope="session")
def changed_all(wide: Comparison) -> Comparison:
    """A hundred columns with alerts: the largest page of a hundred columns."""
    noisy = wide["temperature"]
    columns = {}
    for i, (name, column) in enumerate(wide.columns.items()):
        like = (noisy, wide["country"], wide["amount"])[i % 3]
        columns[name] = replace(like, name=name) if column.status == "ok" else column
    return replace(wide, columns=columns)


HOSTILE = (
    "<script>alert(1)</script>",
    "</title></style></script><img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "a\x00b\x1b[31m\x7f\n\r\t\u2028",
    "\u202egnp.exe\u2066\u200f\u061c\ufeff",
    "\ud800 lone \udfff",
    "שלום עולם",
    "javascript:alert(1) https://evil.example www.evil.example",
    "@everyone #123 org/repo#7 GH-9 a@b.example",
    "a|b\\|c\\\\|d| `code` ``two``",
    "[x](https://evil.example) ![i](https://evil.example/p.png) <https://evil.example>",
    "**bold** _it_ ~~no~~ $x$ :smile: <!-- c -->",
    "]]> &amp; &#x41; \ufffe\uffff <![CDATA[",
    "-->",
    "x" * 10_000,
    "Z" + "\u0334" * 300,
    "",
    " ",
    "=cmd()",
)


def poisoned(comparison: Comparison, word: str) -> Comparison:
    """Put `word` wherever a comparison holds words that come from data, keeping its shape."""
    return replace(
        comparison,
        summary=f"alert: {word}",
        columns={f"{i}": poisoned_column(c, word) for i, c in enumerate(comparison.columns.values())},
        assumptions=tuple(f"{each} {word}" for each in comparison.assumptions),
    )


def poisoned_column(column: ColumnComparison, word: str) -> ColumnComparison:
    measured = tuple(replace(each, name=f"m{word}", column=word) for each in column.measurements)
    return replace(
        column,
        name=word,
        reasons=tuple(f"{word} -> {reason}" for reason in column.reasons),
        component=None if column.component is None else f"kind {word}",
        causes=tuple(replace(cause, where=f"in {word}") for cause in column.causes),
        before=poisoned_counts(column.before, word),
        after=poisoned_counts(column.after, word),
        _measure=lambda: measured,
    )


COUNTS = (
    *("kind", "role", "judge", "edges_id", "counts", "edges", "categories", "unseen_top"),
    *("n_rows", "n_absent", "n_mistyped", "n_null", "n_nan", "n_inf", "n_below", "n_above", "n_unseen"),
    *("n_present", "mean", "variance", "min", "max"),
)


def poisoned_counts(counts: Any, word: str) -> Any:
    if counts is None:
        return None
    told = SimpleNamespace(**{name: getattr(counts, name) for name in COUNTS})
    if told.categories:
        told.categories = [word] * len(told.categories)
    told.unseen_top = [(word, n) for _, n in told.unseen_top]
    return told


@pytest.fixture(params=HOSTILE, ids=lambda word: ascii(word)[:30])
def word(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def hostile(comparison: Comparison, word: str) -> Comparison:
    return poisoned(comparison, word)


@pytest.fixture
def harmless(comparison: Comparison) -> Comparison:
    """The same shape as the hostile ones."""
    return poisoned(comparison, "word")


@pytest.fixture
def together() -> SimpleNamespace:
    """What the columns together tell."""
    one = Measurement(
        name="domain_classifier", value=0.61, low=0.6, high=0.62, p_value=1e-9, status="warning"
    )
    return SimpleNamespace(summary="the columns moved together: age with balance", measurements=(one,))


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-pipe",
)
PATIENCE_SECONDS = 60.0


class Browser:
    """One process with one page: `with Browser(folder) as browser: browser.open(path)`."""

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM
        to_child, self._out = os.pipe()
        self._in, from_child = os.pipe()
        # The child's ends become its 3 and 4; both move up first, so that neither overwrites the other.
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in (to_child, from_child)]
        quiet = os.open(os.devnull, os.O_RDWR)
        actions = [(os.POSIX_SPAWN_DUP2, ends[0], 3), (os.POSIX_SPAWN_DUP2, ends[1], 4)]
        actions += [(os.POSIX_SPAWN_DUP2, quiet, fd) for fd in (0, 1, 2)]
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}"]
        self._pid = os.posix_spawn(CHROMIUM, command, os.environ, file_actions=actions, setsid=True)
        for fd in (to_child, from_child, quiet, *ends):
            os.close(fd)
        os.set_blocking(self._in, False)
        self._bytes = b""
        self._n = 0
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = None
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._in)
        os.close(self._out)

    _session: str | None = None

    def call(self, method: str, **parameters: Any) -> Any:
        self._n += 1
        message: dict[str, Any] = {"id": self._n, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._n:
            self.events.append(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_SECONDS
        while b"\0" not in self._bytes:
            assert time.monotonic() < until, "Chromium does not answer"
            try:
                self._bytes += os.read(self._in, 1 << 20)
            except BlockingIOError:
                time.sleep(0.002)
        first, _, self._bytes = self._bytes.partition(b"\0")
        return json.loads(first)

    def look(self, width: int, height: int, *, dark: bool = False, media: str = "") -> None:
        """Set the size of the window and the colours people prefer."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def open(self, path: Path) -> None:
        """Load a file and wait until it is loaded and painted."""
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())
        time.sleep(0.1)  # a frame or more; a script could not wait for it where scripts are off

    def run(self, script: str) -> Any:
        """Evaluate a script and return its value, awaited."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press a key as a person does."""
        for kind in ("rawKeyDown", "char", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "char" else {}
            if kind == "char" and not text:
                continue
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text
            )

    def requests(self) -> list[str]:
        """Every address asked for since the page was opened."""
        sent = [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def complaints(self) -> list[Any]:
        """What the page wrote to the console: errors, refusals of the content policy, thrown exceptions."""
        kinds = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        return [event["params"] for event in self.events if event.get("method") in kinds]

    def picture(self, height: int | None = None) -> bytes:
        """Return a PNG of the window, or of the first `height` pixels of the page."""
        width = self.run("innerWidth")
        clip = {"clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}} if height else {}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=bool(height), **clip)
        return base64.b64decode(shot["data"])


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium (Debian: chromium)")
    with Browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened

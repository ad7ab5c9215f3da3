"""Rows that mean harm: nothing crashes, nothing half-read stays, and the stage goes on."""

from __future__ import annotations

import datetime as dt
import decimal
import gc
import os
import resource
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

import tidegauge as tg
from tidegauge import _core
from tidegauge.errors import SchemaError

N = 100
REFERENCE = tg.Reference.fit(
    {
        "real": np.arange(N) / 7,
        "whole": np.arange(N),
        "word": ["a", "b"] * (N // 2),
        "time": np.arange(N).astype("M8[us]"),
        "vector": np.arange(2.0 * N).reshape(N, 2),
    }
)
SPECS = [column.spec for column in REFERENCE.profile._core.columns]


class EvilError(Exception):
    """What a hostile object raises."""


def made() -> _core.Stage:
    return _core.Stage(SPECS, ["key"])


def profiled(stage: _core.Stage) -> tg.Profile:
    profile = tg.Profile.empty(REFERENCE)
    for batch in stage.take():
        profile._core.update(batch, 1)
    return profile


def raising(*_: object) -> Any:
    raise EvilError


def interrupted(*_: object) -> Any:
    raise KeyboardInterrupt


class Zone(dt.tzinfo):
    """A time zone whose offset is whatever `offset` says or does."""

    def __init__(self, offset: Callable[[], Any]) -> None:
        self.offset = offset

    def utcoffset(self, _: dt.datetime | None) -> Any:
        return self.offset()


def when(offset: Callable[[], Any]) -> dt.datetime:
    return dt.datetime(2026, 3, 1, tzinfo=Zone(offset))


# ---- rows that are refused leave nothing


@pytest.mark.parametrize(
    ("key", "shown"),
    [(3, "3 is a int"), (None, "None is a NoneType"), (b"real", "b'real' is a bytes"), ((), r"\(\)")],
)
def test_keys_that_are_no_texts(key: Any, shown: str) -> None:
    stage = made()
    with pytest.raises(SchemaError, match=f"key {shown}"):
        stage.record({"real": 1.0, key: 2, "new": 3})
    assert (stage.n_rows, stage.n_unknown, stage.take()) == (0, 0, [])


def test_a_key_whose_repr_raises() -> None:
    class Key:
        __repr__ = raising

    with pytest.raises(EvilError):
        made().record({Key(): 1})


def test_a_value_that_is_interrupted_midway() -> None:
    stage = made()
    stage.record({"real": 1.0, "key": "x"})
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            stage.record({"word": "a" * 1000, "real": 2.0, "new": 1, "time": when(interrupted), "key": "y"})
    assert (stage.n_rows, stage.n_unknown) == (1, 0)
    stage.record({"real": 3.0, "key": "z"})
    (batch,) = stage.take()
    assert [field[0] for field in batch.fields] == ["real", "key"]
    assert [batch.to_pylist(0), batch.to_pylist(1)] == [[1.0, 3.0], ["x", "z"]]


@pytest.mark.parametrize("offset", [raising, lambda: 3, lambda: "x", lambda: dt.timedelta(days=2)])
def test_zones_of_no_sense(offset: Callable[[], Any]) -> None:
    """Python refuses what they say; to us it is a value that is no time."""
    stage = made()
    stage.record({"time": when(offset)})
    assert profiled(stage)["time"].n_mistyped == 1


def test_zones_without_an_offset_are_utc() -> None:
    stage = made()
    stage.record({"key": when(lambda: None)})
    assert stage.take()[0].to_pylist(0) == [1772323200000000]


@pytest.mark.parametrize("passing", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_must_pass_passes(passing: type[BaseException]) -> None:
    def offset() -> None:
        raise passing

    stage = made()
    with pytest.raises(passing):
        stage.record({"real": 1.0, "time": when(offset)})
    assert stage.n_rows == 0


@pytest.mark.parametrize(
    "given",
    [raising, *(lambda _, items=items: items for items in ([1], [("real",)], [("real", 1, 2)], 3, ["ab"]))],
)
def test_mappings_that_are_none(given: Any) -> None:
    class Row(dict[str, Any]):
        items = given

    stage = made()
    with pytest.raises((EvilError, SchemaError, TypeError)):
        stage.record(Row(real=1.0))
    assert stage.n_rows == 0


def test_a_mapping_that_gives_a_column_twice() -> None:
    class Twice(Mapping[str, Any]):
        def __len__(self) -> int:
            return 2

        def __getitem__(self, name: str) -> Any:
            return 1.0

        def __iter__(self) -> Iterator[str]:
            return iter(["real", "real"])

    stage = made()
    with pytest.raises(SchemaError, match="'real' twice"):
        stage.record(Twice())
    assert stage.n_rows == 0


def test_what_is_no_stage() -> None:
    """`record` is a method of its own, past pybind11's checks."""
    with pytest.raises(TypeError, match="Stage"):
        _core.Stage.record(object(), {"real": 1.0})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="__init__"):
        _core.Stage.__new__(_core.Stage).record({"real": 1.0})
    with pytest.raises(TypeError, match="exactly one argument"):
        made().record()  # type: ignore[call-arg]


def test_a_stage_that_is_derived() -> None:
    class Mine(_core.Stage):
        pass

    stage = Mine(SPECS)
    assert stage.record({"real": 1.5}) is False
    assert profiled(stage)["real"].sum == 1.5


# ---- values that are of no type we know


class Everything:
    """Raises from whatever it is asked."""

    __float__ = __int__ = __index__ = __bool__ = __eq__ = __hash__ = __str__ = __repr__ = raising
    __len__ = __iter__ = __getitem__ = __array__ = __getattr__ = raising
    __array_interface__ = property(raising)


class Floatish(float):
    __float__ = __eq__ = __hash__ = __repr__ = raising


class Intish(int):
    __int__ = __index__ = __eq__ = __hash__ = __repr__ = raising


class Strish(str):
    __str__ = __eq__ = __hash__ = __repr__ = __len__ = __iter__ = encode = raising  # type: ignore[assignment]

    __slots__ = ()


class Listish(list[Any]):
    __len__ = __iter__ = __getitem__ = __array__ = raising  # type: ignore[assignment]


Forged = type("decimal.Decimal", (), {"__float__": raising})
ForgedInteger = type("numpy.int64", (), {"__index__": raising})


@pytest.mark.parametrize("column", ["real", "whole", "word", "time", "vector", "key"])
def test_objects_that_raise_are_values_of_no_type(column: str) -> None:
    stage = made()
    for value in (Everything(), [Everything()], (Everything(), 1.0), Everything, raising):
        stage.record({column: value})
    assert stage.n_rows == 5
    if column != "key":
        assert profiled(stage)[column].n_mistyped == 5


def test_subclasses_are_what_they_derive_from() -> None:
    stage = made()
    stage.record({"real": Floatish(1.5), "whole": Intish(3), "word": Strish("a")})
    profile = profiled(stage)
    assert (profile["real"].sum, profile["whole"].sum, profile["word"].n_present) == (1.5, 3, 1)


def test_keys_whose_hash_and_equality_are_evil() -> None:
    class Key(str):
        __slots__ = ()
        armed = False

        def __hash__(self) -> int:
            return raising() if self.armed else 1

        def __eq__(self, other: object) -> bool:
            return raising() if self.armed else self is other

    row = {Key("real"): 1.5, Key("new"): 2.5}
    Key.armed = True
    stage = made()
    stage.record(row)
    profile = profiled(stage)
    assert profile["real"].sum == 1.5
    assert profile.unexpected == {"new": 1}


FORGED_TIMES = [
    type("numpy.datetime64", (bytearray,), {"dtype": dtype})(n)
    for dtype, n in ((3, 8), (3, 5), (property(raising), 8), (np.dtype("M8[10us]"), 8), (np.dtype("f8"), 8))
]


@pytest.mark.parametrize("value", [Forged(), ForgedInteger(), *FORGED_TIMES])
def test_a_type_that_goes_by_another_name(value: Any) -> None:
    stage = made()
    stage.record({"real": value})
    assert profiled(stage)["real"].n_mistyped == 1


def test_a_signalling_nan_is_no_number() -> None:
    stage = made()
    stage.record({"real": decimal.Decimal("sNaN"), "whole": decimal.Decimal("1e400")})
    profile = profiled(stage)
    assert (profile["real"].n_mistyped, profile["whole"].n_mistyped) == (1, 1)


def test_numbers_without_end() -> None:
    stage = made()
    stage.record({"real": 10**5000, "whole": -(10**5000), "word": 10**5000, "vector": [10**5000, 1.0]})
    profile = profiled(stage)
    assert [profile[name].n_mistyped for name in ("real", "whole", "word", "vector")] == [1, 1, 1, 1]


def test_nesting_without_end() -> None:
    deep: list[Any] = []
    for _ in range(sys.getrecursionlimit() * 3):
        deep = [deep]
    itself: list[Any] = [1.0]
    itself.append(itself)
    row: dict[str, Any] = {}
    row |= {"vector": row, "key": itself}
    stage = made()
    stage.record({"vector": deep})
    stage.record({"vector": itself})
    stage.record(row)
    assert profiled(stage)["vector"].n_mistyped == 3


# ---- objects that change things while they are read


def test_a_row_that_changes_while_it_is_read() -> None:
    row: dict[str, Any] = {"word": "a" * 50, "real": 1.0}

    def offset() -> dt.timedelta:
        row.clear()
        row.update({f"x{i}": object() for i in range(10_000)})
        gc.collect()
        return dt.timedelta(0)

    row |= {"time": when(offset), "whole": 3, "vector": [1.0, 2.0]}
    stage = made()
    stage.record(row)
    profile = profiled(stage)
    assert [profile[name].n_present for name in ("word", "real", "time", "whole", "vector")] == [1] * 5
    assert not profile.unexpected


def test_a_list_that_changes_while_it_is_read() -> None:
    numbers: list[Any] = []

    class Shrinking:
        def __array__(self, *_: object, **__: object) -> Any:
            numbers.clear()
            return np.zeros(2)

        def __float__(self) -> float:
            numbers.clear()
            return 1.0

    numbers += [Shrinking(), 1.0, 2.0]
    stage = made()
    stage.record({"vector": numbers})
    assert stage.n_rows == 1


def test_a_row_that_records_rows() -> None:
    stage = made()
    depth = 0

    def offset() -> dt.timedelta:
        nonlocal depth
        depth += 1
        if depth < 20:
            stage.record({"real": float(depth), "word": f"inner {depth}", "time": when(offset)})
        return dt.timedelta(0)

    stage.record({"word": "outer", "real": 0.0, "time": when(offset), "key": "k"})
    assert stage.n_rows == 20
    profile = profiled(stage)
    assert profile["real"].sum == sum(range(20))
    assert profile["word"].n_present == 20


def test_a_row_that_takes_what_waits() -> None:
    stage = made()
    stage.record({"real": 1.0})
    taken: list[_core.Batch] = []

    def offset() -> dt.timedelta:
        taken.extend(stage.take())
        return dt.timedelta(0)

    stage.record({"real": 2.0, "time": when(offset)})
    assert [batch.n_rows for batch in taken] == [1]
    assert stage.n_rows == 1


def test_a_finaliser_that_records_a_row() -> None:
    """The garbage collector may run any code wherever an object is made."""
    stage = made()

    class Dying:
        def __del__(self) -> None:
            stage.record({"real": 5.0})

    for _ in range(50):
        circle: Any = Dying()
        circle.itself = circle
    del circle
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for i in range(200):
            stage.record({"real": 1.0, "time": when(dt.timedelta), "vector": [1.0, 2.0], "key": [i]})
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert stage.n_rows == 250


def test_objects_of_a_row_are_let_go() -> None:
    class Value:
        pass

    stage, value = made(), Value()
    seen = weakref.ref(value)
    stage.record({"real": value, "new": value})
    with pytest.raises(KeyboardInterrupt):
        stage.record({"real": value, "time": when(interrupted)})
    del value
    gc.collect()
    assert seen() is None


# ---- sizes


def test_a_huge_text_does_not_stay() -> None:
    stage = made()
    size = 100 << 20
    assert stage.record({"word": "x" * size}) is True
    with pytest.raises(KeyboardInterrupt):
        stage.record({"word": "y" * size, "time": when(interrupted)})
    assert profiled(stage)["word"].n_present == 1
    stage.record({"word": "x"})
    before = resident()
    stage.record({"word": "x" * size, "key": "é" * 10})
    stage.take()
    assert resident() - before < size // 4


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_reading_a_text_leaves_no_copy_in_it() -> None:
    """CPython keeps the UTF-8 of a text inside it for as long as it lives, once asked."""
    texts = ["é" * (10 << 20) for _ in range(1)]
    before = sys.getsizeof(texts[0])
    made().record({"word": texts[0]})
    assert sys.getsizeof(texts[0]) == before


def test_a_thousand_takes_leave_nothing_behind() -> None:
    stage = made()
    row = {"real": 1.0, "word": "a", "vector": [1.0, 2.0], "key": "k", "new": 1}

    def round_trip() -> None:
        for _ in range(100):
            stage.record(row)
        stage.take()

    for _ in range(50):
        round_trip()
    before = resident()
    for _ in range(1000):
        round_trip()
    assert resident() - before < 4 << 20


# ---- threads and fork


def in_a_child(task: Callable[[], bool]) -> bool:
    """Whether the task says true in a forked child, within seconds."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if task() else 2
        finally:
            os._exit(code)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_at_any_moment_leaves_the_child_a_stage() -> None:
    stage, stop = _core.Stage(SPECS, ["key"], max_rows=1000), threading.Event()
    (small,) = tg.arrow.batches({"real": np.arange(500.0), "word": ["a"] * 500})

    def record() -> None:
        while not stop.is_set():
            due = stage.record({"real": 1.0, "time": when(lambda: dt.timedelta(0)), "key": [1.0]})
            if due or stage.append(small):
                stage.take()

    threads = [threading.Thread(target=record) for _ in range(3)]
    for thread in threads:
        thread.start()

    def child() -> bool:
        stage.take()
        stage.record({"real": 2.0, "time": when(lambda: dt.timedelta(0))})
        stage.append(small)
        batches = stage.take()
        return sum(batch.n_rows for batch in batches) == 501 and stage.n_rows == 0

    try:
        assert all(in_a_child(child) for _ in range(30))
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_dict_that_another_thread_changes() -> None:
    """Every row counts once, with some state of the dict."""
    row: dict[str, Any] = {"real": 1.0, "word": "a"}
    stage, stop = made(), threading.Event()

    def change() -> None:
        i = 0
        while not stop.is_set():
            i += 1
            row[f"x{i % 100}"] = i
            row["word"] = "b" * (i % 50)
            row.pop(f"x{(i + 50) % 100}", None)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        n_rows = 0
        for _ in range(20_000):
            if stage.record(row):
                n_rows += sum(batch.n_rows for batch in stage.take())
    finally:
        stop.set()
        thread.join()
    profile = profiled(stage)
    assert n_rows + profile.n_rows == 20_000
    assert profile["real"].n_present == profile.n_rows

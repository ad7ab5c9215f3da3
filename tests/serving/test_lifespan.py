"""The lifespan: the monitor lives while the application does, and the application's own lifespan within."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from tidegauge.serving import lifespan


def test_the_monitor_is_made_at_the_start_and_closed_at_the_end(recorder):
    steps, app = [], SimpleNamespace(state=SimpleNamespace())

    @asynccontextmanager
    async def own(inner):
        steps.append((inner is app, app.state.monitor is recorder, recorder.n_closed))
        yield {"model": 1}
        steps.append(("end", recorder.n_closed))

    watching = lifespan(lambda: recorder, own)

    async def serve():
        async with watching(app) as state:
            steps.append((state, recorder.n_closed))
            assert watching.monitor is recorder

    asyncio.run(serve())
    assert steps == [(True, True, 0), ({"model": 1}, 0), ("end", 0)]
    assert recorder.n_closed == 1


@pytest.mark.parametrize("where", ["own", "served", "cancelled"])
def test_the_monitor_is_closed_whatever_ends_the_application(recorder, where):
    app = SimpleNamespace(state=SimpleNamespace())

    @asynccontextmanager
    async def own(inner):
        if where == "own":
            raise OSError("no model")
        yield

    async def serve():
        async with lifespan(lambda: recorder, own)(app) as state:
            assert state is None
            raise asyncio.CancelledError if where == "cancelled" else OSError("no model")

    with pytest.raises(asyncio.CancelledError if where == "cancelled" else OSError):
        asyncio.run(serve())
    assert recorder.n_closed == 1


def test_what_makes_no_monitor_stops_the_start():
    def make():
        raise ValueError("no reference")

    async def serve():
        async with lifespan(make)(SimpleNamespace(state=SimpleNamespace())):
            pytest.fail("it started")

    with pytest.raises(ValueError, match="no reference"):
        asyncio.run(serve())

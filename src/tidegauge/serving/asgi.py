"""The lifespan of an ASGI application (FastAPI, Starlette, Litestar) that has a monitor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegauge.monitor import Monitor

__all__ = ["lifespan"]

# What a server calls with the application when it starts; what the context gives is the application's own.
Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


def lifespan(make_monitor: Callable[[], Monitor], within: Lifespan | None = None) -> Lifespan:
    """Return a lifespan: `FastAPI(lifespan=lifespan(make_monitor))`.

    When a worker's server starts, after any fork, `make_monitor()` is called and its monitor put in
    `app.state.monitor`; when the server stops, after the last request, the monitor is closed, which loses
    nothing. `within`: the application's own lifespan, started after the monitor is made and ended before it
    is closed; what it yields is passed on. What `make_monitor` or `within` raise stops the start.
    """

    @asynccontextmanager
    async def watching(app: Any) -> AsyncIterator[Any]:
        from asyncio import to_thread

        app.state.monitor = monitor = make_monitor()
        try:
            async with within(app) if within is not None else nullcontext() as state:
                yield state
        finally:
            # In a thread: an archive may be slow, and gunicorn kills a worker whose loop stands still.
            await to_thread(monitor.close)

    return watching

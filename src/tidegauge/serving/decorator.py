"""A scoring function that tells a monitor what it was asked and what it answered; nothing else changes."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from tidegauge.errors import InputError
from tidegauge.serving.pairs import is_model, pair

if TYPE_CHECKING:
    from tidegauge.monitor import Monitor

__all__ = ["watched"]

P = ParamSpec("P")
R = TypeVar("R")


def watched(
    monitor: Monitor | Callable[[], Monitor], *, inputs: str | None = None, output: str = "score"
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator: each call that scores is one row, or one batch, for the monitor.

    The decorated function, method or coroutine function takes features and returns what it made of them:

    - a row: a mapping, dataclass, pydantic model or msgspec Struct in; a score or a mapping out;
    - rows: a list of these in; a list or array of as many scores, or a list of mappings, out;
    - a batch: a frame, a PyArrow table or a mapping of arrays in; an array of as many scores, or a frame or
      mapping of arrays, out.

    A score becomes the column `output`; a mapping's items keep their names, and win over features of the
    same name. `monitor`: the monitor, or a function that returns it, for one that is made later (such as in
    a lifespan); a monitor that cannot be had is logged once, and the call goes on. `inputs`: the name of the
    parameter that holds the features, where it is not the first one after `self`.

    Arguments, result and exceptions of the function are its own; a call that raises is not recorded. What
    cannot be understood is counted by the monitor (`monitor.health`), as its other errors are, and raised
    only where it was made with strict=True. Costs about 1 µs a row beyond `monitor.record`. Raises
    InputError, when it decorates, for what is no scoring function or has no such parameter.
    """
    made_later = callable(monitor)
    missing: list[Exception] = []  # why there was no monitor, the first time

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        position, name = place_of_features(function, inputs)

        model: type | None = None  # the class of the last features that keep their fields in __dict__

        def tell(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
            nonlocal model
            try:
                target: Any = monitor() if made_later else monitor  # type: ignore[operator]
            except Exception as error:
                if not missing:
                    missing.append(error)
                    logging.getLogger("tidegauge").warning("calls are not recorded, no monitor: %r", error)
                return
            row: Mapping[str, Any] | None = None
            try:
                features = args[position] if len(args) > position else kwargs[name]
                if type(result) is float and type(features) is model:  # most calls, which then call nothing
                    row = {**features.__dict__, output: result}
                elif type(result) is float and type(features) is dict:
                    row = {**features, output: result}
                else:
                    model = type(features) if is_model(type(features)) else None
                    rows, batch = pair(features, result, output)
            except Exception as error:
                target.update(refused(error))
                return
            if row is not None:
                target.record(row)
                return
            for each in rows:
                target.record(each)
            if batch is not None:
                target.update(batch)

        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):

            @wraps(function)
            async def scored_later(*args: P.args, **kwargs: P.kwargs) -> Any:
                result = await cast("Any", function(*args, **kwargs))
                tell(args, kwargs, result)
                return result

            return cast("Callable[P, R]", scored_later)

        @wraps(function)
        def scored(*args: P.args, **kwargs: P.kwargs) -> R:
            result = function(*args, **kwargs)
            tell(args, kwargs, result)
            return result

        return scored

    return decorate


def place_of_features(function: Callable[..., Any], inputs: str | None) -> tuple[int, str]:
    """Return position and name of the parameter that holds the features. Raises InputError if none does."""
    if isinstance(function, staticmethod | classmethod):
        raise InputError(f"@watched goes below @{type(function).__name__}, next to the function")
    told = getattr(function, "__qualname__", repr(function))
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InputError(f"{told} yields, and a call of it has no one result: record each where it is made")
    names = list(inspect.signature(function).parameters)
    choices = names[1:] if names[:1] in (["self"], ["cls"]) else names
    if not choices or (inputs is not None and inputs not in choices):
        wanted = "no parameter for the features" if inputs is None else f"no parameter {inputs!r}"
        raise InputError(f"{told} has {wanted}, only {names}")
    name = choices[0] if inputs is None else inputs
    return names.index(name), name


def refused(error: Exception) -> Iterator[Any]:
    """Give the monitor the error where it reads the data, so that it is counted as its own are."""
    raise error
    yield

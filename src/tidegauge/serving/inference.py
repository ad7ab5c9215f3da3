"""Requests and responses of the Open Inference Protocol v2 (KServe, Triton, MLServer, Seldon) as columns.

JSON, and the binary tensor data extension. The bodies are somebody else's: a declared shape, size or count is
compared with what is there before anything is made of it, so that memory stays within a multiple of the body.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from tidegauge.errors import InputError
from tidegauge.serving.tensors import Constant, tensor_of_binary, tensor_of_json
from tidegauge.serving.words import shape_text, shown

__all__ = ["decode_request", "decode_response", "rows"]

HEADER = "inference-header-content-length"

Columns = dict[str, npt.NDArray[Any]]


def decode_request(
    body: bytes | Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    *,
    columns: Mapping[str, Sequence[str]] | None = None,
) -> Columns:
    r"""Return the inputs of an inference request as columns: what `Monitor.update` takes.

    `body`: the HTTP body, or its JSON as parsed. `headers`: the HTTP headers, where binary tensors may
    follow the JSON (`Inference-Header-Content-Length`). The first axis of a tensor is its rows: [n] and
    [n, 1] are a column under the tensor's name; [n, d] is an embedding column of shape [n, d], or d columns
    where `columns` names them (`{"tensor": ["amount", "age", ...]}`); further axes are laid flat.

    FP16 and BF16 become float32, exactly; other numbers keep their type. BYTES become text (objects; bytes
    that are no UTF-8 are written as `\xff`); null is None among them, NaN among floats. The content types of
    MLServer ("pd", "np", "str") name the same arrays and change nothing.

    Raises InputError, naming tensor, value and limit, for anything malformed: counts that differ from the
    shape, unknown datatypes, values outside of a datatype, NaN in JSON (which has none), binary data cut
    short.
    """
    return decode(body, headers, columns, "inputs")


def decode_response(
    body: bytes | Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    *,
    columns: Mapping[str, Sequence[str]] | None = None,
) -> Columns:
    """Return the outputs of an inference response as columns; see `decode_request`.

    Raises InputError also for an error response.
    """
    return decode(body, headers, columns, "outputs")


def rows(request: Columns, response: Columns) -> Columns:
    """Return the columns of a request and of the response to it, side by side.

    Which response answers which request (by `id`, or because one call made both) is the caller's to know.
    Raises InputError where their rows differ in number, or a name stands on both sides.
    """
    if both := sorted(request.keys() & response.keys()):
        raise InputError(f"tensor {shown(both[0])} is in the request and in the response: rename one of them")
    joined = {**request, **response}
    sizes = {name: len(values) for name, values in joined.items()}
    if len(set(sizes.values())) > 1:
        fewest, most = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
        raise InputError(
            f"tensor {shown(fewest)} has {sizes[fewest]} rows and {shown(most)} has {sizes[most]}: the first "
            "axis of each must be the batch"
        )
    return joined


def decode(
    body: bytes | Mapping[str, Any],
    headers: Mapping[str, str] | None,
    columns: Mapping[str, Sequence[str]] | None,
    side: str,
) -> Columns:
    """Decode the tensors of one side of an inference."""
    message, binary = split(body, headers)
    if "error" in message and side == "outputs":
        raise InputError(f"the response is an error, not outputs: {shown(message['error'])}")
    tensors = message.get(side)
    if not isinstance(tensors, list):
        raise InputError(f"an inference message must have a list of {side!r}, this one has {shown(tensors)}")
    decoded: Columns = {}
    position = 0
    for tensor in tensors:
        name = tensor.get("name") if isinstance(tensor, Mapping) else None
        if not isinstance(name, str):
            raise InputError(f"{side} must be objects with a name, one is {shown(tensor)}")
        try:
            data = binary_data(tensor, binary[position:])
            values = tensor_of_json(tensor) if data is None else tensor_of_binary(tensor, data)
            found = columns_of(name, values, (columns or {}).get(name))
        except InputError as error:
            raise InputError(f"tensor {shown(name)} {error}") from None
        position += len(data or b"")
        if twice := found.keys() & decoded.keys():
            raise InputError(f"column {shown(min(twice))} stands twice among the {side}")
        decoded.update(found)
    if position < len(binary):
        raise InputError(f"{len(binary) - position} bytes of binary data belong to no tensor of {side}")
    return decoded


def split(body: Any, headers: Mapping[str, str] | None) -> tuple[Mapping[str, Any], memoryview]:
    """Return a body's JSON object and the binary data behind it."""
    if isinstance(body, Mapping):
        return body, memoryview(b"")
    if not isinstance(body, bytes | bytearray | memoryview):
        raise InputError(f"a body is bytes or a mapping, not a {type(body).__qualname__}")
    whole = memoryview(body).cast("B")
    n = json_size(len(whole), headers)
    try:
        message = json.loads(bytes(whole[:n]), parse_constant=Constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the first {n} bytes of the body are no JSON: {error!s:.200}") from None
    if not isinstance(message, dict):
        raise InputError(f"an inference message is a JSON object, this is {shown(message)}")
    return message, whole[n:]


def json_size(n_body: int, headers: Mapping[str, str] | None) -> int:
    """Return how many bytes of a body are JSON: all of it, unless a header says that binary data follow."""
    said = next((value for name, value in (headers or {}).items() if name.lower() == HEADER), None)
    if said is None:
        return n_body
    if not (isinstance(said, str) and said.isascii() and said.isdigit()) or len(said) > 18:
        raise InputError(f"header {HEADER} is {shown(said)}, not a number of bytes")
    if int(said) == 0:
        raise InputError(
            f"header {HEADER} is 0: a raw binary request names no tensor and no shape; send JSON first"
        )
    if int(said) > n_body:
        raise InputError(f"header {HEADER} is {said}, but the body has {n_body} bytes: it was cut short")
    return int(said)


def binary_data(tensor: Mapping[str, Any], left: memoryview) -> memoryview | None:
    """Return a tensor's part of the binary data that are left, None where its data are JSON."""
    parameters = tensor.get("parameters")
    if parameters is None:
        return None
    if not isinstance(parameters, Mapping):
        raise InputError(f"has parameters {shown(parameters)}, not an object")
    if "shared_memory_region" in parameters:
        raise InputError("has its data in shared memory of the server, not in the body")
    size = parameters.get("binary_data_size")
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise InputError(f"has a binary_data_size of {shown(size)}, not a number of bytes")
    if "data" in tensor:
        raise InputError("has data and a binary_data_size: it must have one of them")
    if size > len(left):
        raise InputError(
            f"has a binary_data_size of {shown(size)} bytes, {len(left)} are left: the body was cut short, "
            f"or its header {HEADER} was not passed on"
        )
    return left[:size]


def columns_of(name: str, values: npt.NDArray[Any], names: Sequence[str] | None) -> Columns:
    """Cut a tensor into columns; the rows are its first axis, and a tensor of no axis is one row."""
    n = values.shape[0] if values.ndim else 1
    width = math.prod(values.shape[1:])
    if names is not None:
        if isinstance(names, str) or len(names) != width or len(set(names)) != width:
            raise InputError(f"has {width} columns, and columns= must give it as many different names")
        flat = values.reshape(n, width)
        return {each: flat[:, i] for i, each in enumerate(names)}
    if width == 1:
        return {name: values.reshape(n)}
    if width == 0:
        raise InputError(f"has shape {shape_text(values.shape)}: rows of no values")
    if values.dtype == object:
        raise InputError(f"has {width} columns of text, and columns= must name each")
    return {name: values.reshape(n, width)}

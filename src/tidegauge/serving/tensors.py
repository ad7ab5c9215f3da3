"""One tensor of the Open Inference Protocol v2, from JSON or from binary data, as an array of its shape.

What is refused says what the tensor "has"; whoever calls puts its name before that.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge.errors import InputError
from tidegauge.serving.words import shape_text, shown

__all__ = ["Constant", "tensor_of_binary", "tensor_of_json"]

Array = npt.NDArray[Any]

# As they lie in binary data: little-endian. BF16 is the upper half of a float32.
DTYPES = {
    "BOOL": np.dtype("?"),
    **{f"UINT{8 * n}": np.dtype(f"<u{n}") for n in (1, 2, 4, 8)},
    **{f"INT{8 * n}": np.dtype(f"<i{n}") for n in (1, 2, 4, 8)},
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BF16": np.dtype("<u2"),
}
BF16_MAX = float(np.array(0x7F7F0000, np.uint32).view(np.float32))
MAX_AXES = 32  # half of NumPy's
MAX_VALUES = 2**48  # far above any body, far below what overflows in bytes


class Constant(str):
    """NaN, Infinity or -Infinity, which JSON has not; kept until the tensor it stands in is known."""

    __slots__ = ()


def tensor_of_json(tensor: Mapping[str, Any]) -> Array:
    """Return a tensor whose data are a list, flat or nested as its shape says."""
    datatype, shape = datatype_of(tensor), shape_of(tensor)
    if "data" not in tensor:
        raise InputError("has no data")
    values = flat(tensor["data"], shape)
    if datatype == "BOOL":
        only(datatype, values, {bool})
        return np.array(values, np.bool_).reshape(shape)
    if datatype == "BYTES":
        only(datatype, values, {str, type(None)})
        return objects(values).reshape(shape)
    if datatype in {"FP16", "BF16", "FP32", "FP64"}:
        return floats(datatype, values).reshape(shape)
    only(datatype, values, {int})
    dtype = DTYPES[datatype].newbyteorder("=")
    try:
        return np.array(values, dtype).reshape(shape)
    except OverflowError:
        limits = np.iinfo(dtype)
        outside = next(value for value in values if not limits.min <= value <= limits.max)
        raise InputError(f"has {shown(outside)}, {datatype} holds {limits.min} to {limits.max}") from None


def tensor_of_binary(tensor: Mapping[str, Any], data: memoryview) -> Array:
    """Return a tensor whose data are bytes, row by row."""
    datatype, shape = datatype_of(tensor), shape_of(tensor)
    n = math.prod(shape)
    if datatype == "BYTES":
        return objects(texts(data, n)).reshape(shape)
    dtype = DTYPES[datatype]
    if len(data) != n * dtype.itemsize:
        raise InputError(
            f"has shape {shape_text(shape)} and so {shown(n * dtype.itemsize)} bytes of {datatype}, but a "
            f"binary_data_size of {len(data)}"
        )
    if datatype == "BOOL" and (wrong := np.frombuffer(data, np.uint8)).size and wrong.max() > 1:
        raise InputError(f"has a byte of {wrong.max()}, BOOL holds 0 and 1")
    values = np.frombuffer(data, dtype)
    if datatype == "BF16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    native = np.float32 if datatype == "FP16" else values.dtype.newbyteorder("=")
    return np.require(values.astype(native, copy=False), requirements="A").reshape(shape)


def datatype_of(tensor: Mapping[str, Any]) -> str:
    """Return the datatype, if it is one."""
    datatype = tensor.get("datatype")
    if datatype == "BYTES" or (isinstance(datatype, str) and datatype in DTYPES):
        return datatype
    raise InputError(f"has datatype {shown(datatype)}, not one of {', '.join((*DTYPES, 'BYTES'))}")


def shape_of(tensor: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the shape, if it is one; how many values that makes is for the caller to compare."""
    shape = tensor.get("shape")
    if not isinstance(shape, list | tuple):
        raise InputError(f"has shape {shown(shape)}, not a list of sizes")
    if not all(type(size) is int and size >= 0 for size in shape):
        raise InputError(f"has shape {shape_text(tuple(shape))}, not a list of sizes of 0 or more")
    if len(shape) > MAX_AXES:
        raise InputError(f"has {len(shape)} axes, the limit is {MAX_AXES}")
    if math.prod(max(size, 1) for size in shape) > MAX_VALUES:  # beside a 0, too: NumPy refuses such shapes
        raise InputError(f"has shape {shape_text(tuple(shape))}, the limit is {MAX_VALUES} values")
    return tuple(shape)


def flat(data: Any, shape: tuple[int, ...]) -> list[Any]:
    """Return the values row by row; refuse any number of them that the shape does not say."""
    if not isinstance(data, list):
        raise InputError(f"has data {shown(data)}, not a list")
    n = math.prod(shape)
    values = [data]
    nested = len(shape) > 1 and any(isinstance(item, list) for item in data)
    for axis, size in enumerate(shape if nested else [n]):
        wrong = [item for item in values if not isinstance(item, list) or len(item) != size]
        if wrong:
            raise InputError(
                f"has shape {shape_text(shape)}, but {shown(wrong[0])} along axis {axis}, not {size} values"
            )
        values = list(chain.from_iterable(values))
    return values


def floats(datatype: str, values: list[Any]) -> Array:
    """Return numbers as floats of a datatype, null as NaN; refuse what rounds to infinity in it."""
    only(datatype, values, {float, int, type(None)})
    dtype = np.float64 if datatype == "FP64" else np.float32
    largest = BF16_MAX if datatype == "BF16" else float(np.finfo(DTYPES[datatype]).max)
    outside = None
    try:
        wide = np.array(values, np.float64)
    except OverflowError:  # an integer of more than 308 digits
        outside = next(value for value in values if type(value) is int and abs(value) > largest)
    else:
        if (np.abs(wide) > largest).any():
            outside = values[int(np.argmax(np.abs(wide) > largest))]
    if outside is not None:
        raise InputError(f"has {shown(outside)}, {datatype} holds at most {largest:.6g} in size")
    return wide.astype(dtype, copy=False)


def texts(data: memoryview, n: int) -> list[str]:
    """Return the n elements of binary BYTES: each a length of four bytes, then as many bytes."""
    if n > len(data) // 4:
        raise InputError(
            f"has {shown(n)} elements of BYTES, of at least 4 bytes, but a binary_data_size of {len(data)}"
        )
    found = []
    begin = 0
    for i in range(n):
        if len(data) - begin < 4:
            raise InputError(f"has an end before the length of element {i} of {n}")
        (size,) = struct.unpack_from("<I", data, begin)
        begin += 4
        if size > len(data) - begin:
            raise InputError(f"has a length of {size} bytes at element {i}, {len(data) - begin} are left")
        found.append(str(data[begin : begin + size], "utf-8", "backslashreplace"))
        begin += size
    if begin < len(data):
        raise InputError(f"has {len(data) - begin} bytes after its {n} elements")
    return found


def only(datatype: str, values: list[Any], allowed: set[type]) -> None:
    """Refuse values of other types: NumPy would make numbers of text and of true."""
    if set(map(type, values)) - allowed:
        wrong = next(value for value in values if type(value) not in allowed)
        raise InputError(
            f"has {wrong} among its data, which JSON has not: send null, or the tensor as binary data"
            if isinstance(wrong, Constant)
            else f"has {shown(wrong)} among its data, which is no {datatype} in JSON"
        )


def objects(values: list[Any]) -> Array:
    """Return values as an array of objects."""
    return np.fromiter(values, object, len(values))

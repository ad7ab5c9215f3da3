"""Bodies of the Open Inference Protocol v2: examples of its text, both codings, hostile ones."""

from __future__ import annotations

import json
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import tidegauge as tg
from tidegauge.errors import InputError
from tidegauge.serving.inference import decode_request, decode_response, rows

HEADER = "Inference-Header-Content-Length"


def tensor(data: object, datatype: str = "FP64", shape: object = None, **more: object) -> dict:
    size = [len(data)] if shape is None else shape
    return {"name": "t", "shape": size, "datatype": datatype, "data": data, **more}


def body(*tensors: dict, side: str = "inputs") -> bytes:
    return json.dumps({side: list(tensors)}).encode()


def binary(message: dict, data: bytes) -> tuple[bytes, dict[str, str]]:
    head = json.dumps(message).encode()
    return head + data, {HEADER.lower(): str(len(head)), "content-type": "application/octet-stream"}


def binary_tensor(datatype: str, shape: list[int], size: int, name: str = "t") -> dict:
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": size}}


# ---- examples of the protocol's text


def test_the_request_of_the_protocol():
    """KServe v2, "Inference Request Examples", where the second tensor lacks two of its three values."""
    request = b"""{
      "id" : "42",
      "inputs" : [
        {"name" : "input0", "shape" : [ 2, 2 ], "datatype" : "UINT32", "data" : [ 1, 2, 3, 4 ]},
        {"name" : "input1", "shape" : [ 3 ], "datatype" : "BOOL", "data" : [ true, false, true ]}
      ],
      "outputs" : [{"name" : "output0"}]
    }"""
    found = decode_request(request)
    assert found["input0"].dtype == np.uint32
    assert found["input0"].tolist() == [[1, 2], [3, 4]]
    assert found["input1"].dtype == np.bool_
    assert found["input1"].tolist() == [True, False, True]
    with pytest.raises(InputError, match=r"'input1' has shape \[3\], but a list of 1"):
        decode_request(request.replace(b"true, false, true", b"true"))


def test_the_response_of_the_protocol():
    response = b"""{
      "id" : "42",
      "outputs" : [{
        "name" : "output0", "shape" : [ 3, 2 ], "datatype" : "FP32",
        "data" : [ 1.0, 1.1, 2.0, 2.1, 3.0, 3.1 ]
      }]
    }"""
    found = decode_response(response)["output0"]
    assert found.dtype == np.float32
    assert np.array_equal(found, np.array([[1.0, 1.1], [2.0, 2.1], [3.0, 3.1]], np.float32))


def test_the_nested_data_of_the_protocol():
    """ "Tensor Data": row-major and flat, or nested; both are the same tensor."""
    flat = decode_request(body(tensor([1, 2, 4, 5], "INT64", [2, 2])))
    nested = decode_request(body(tensor([[1, 2], [4, 5]], "INT64", [2, 2])))
    assert flat["t"].tolist() == nested["t"].tolist() == [[1, 2], [4, 5]]


def test_the_binary_request_of_tritons_extension():
    message = {
        "model_name": "mymodel",
        "inputs": [
            binary_tensor("UINT32", [2, 2], 16, "input0"),
            binary_tensor("BOOL", [3], 3, "input1"),
        ],
        "outputs": [{"name": "output0", "parameters": {"binary_data": True}}],
    }
    data = b"\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0" + b"\x01\x00\x01"
    found = decode_request(*binary(message, data))
    assert found["input0"].tolist() == [[1, 2], [3, 4]]
    assert found["input1"].tolist() == [True, False, True]


def test_the_strings_of_tritons_extension():
    """Each element is its length in four little-endian bytes, then its bytes."""
    message = {"outputs": [binary_tensor("BYTES", [3], 4 + 2 + 4 + 0 + 4 + 3)]}
    data = b"\x02\0\0\0SE" + b"\0\0\0\0" + b"\x03\0\0\0\xffab"
    assert decode_response(*binary(message, data))["t"].tolist() == ["SE", "", "\\xffab"]


def test_json_and_binary_tensors_in_one_request():
    message = {"inputs": [tensor([0.5, 0.25]) | {"name": "json"}, binary_tensor("INT16", [2], 4)]}
    found = decode_request(*binary(message, struct.pack("<hh", -2, 300)))
    assert found["json"].tolist() == [0.5, 0.25]
    assert found["t"].tolist() == [-2, 300]


# ---- both codings against each other

NUMBERS = {
    "UINT8": "u1", "UINT16": "u2", "UINT32": "u4", "UINT64": "u8", "INT8": "i1", "INT16": "i2", "INT32": "i4",
    "INT64": "i8", "FP16": "f2", "FP32": "f4", "FP64": "f8", "BOOL": "?",
}  # fmt: skip


@given(st.data(), st.sampled_from(sorted(NUMBERS)), npst.array_shapes(max_dims=3, max_side=5))
def test_json_flat_json_nested_and_binary_are_the_same(data, datatype, shape):
    dtype = np.dtype(NUMBERS[datatype])
    some = None
    if dtype.kind == "f":
        some = st.floats(width=8 * dtype.itemsize, allow_nan=False, allow_infinity=False)
    values = data.draw(npst.arrays(dtype, shape, elements=some))
    wanted = {"t": values.reshape(shape[0], -1) if values[0].size > 1 else values.reshape(-1)}
    flat = decode_request(body(tensor(values.ravel().tolist(), datatype, shape)))
    nested = decode_request(body(tensor(values.tolist(), datatype, shape)))
    message = {"inputs": [binary_tensor(datatype, list(shape), values.nbytes)]}
    coded = decode_request(*binary(message, values.astype(dtype.newbyteorder("<")).tobytes()))
    for found in (flat, nested, coded):
        assert found.keys() == {"t"}
        assert np.array_equal(found["t"], wanted["t"])
        assert found["t"].dtype == (np.float32 if datatype == "FP16" else dtype)
        assert found["t"].flags.aligned
    assert tg.profile({"t": coded["t"]}).n_rows == shape[0]


@given(st.lists(st.text(), max_size=6))
def test_text_in_json_and_binary_is_the_same(values):
    message = {"inputs": [binary_tensor("BYTES", [len(values)], sum(4 + len(v.encode()) for v in values))]}
    data = b"".join(struct.pack("<I", len(v.encode())) + v.encode() for v in values)
    assert decode_request(*binary(message, data))["t"].tolist() == values
    assert decode_request(body(tensor(values, "BYTES")))["t"].tolist() == values


@given(st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=20))
def test_bf16_is_the_upper_half_of_a_float32(halves):
    coded = np.array(halves, "<u2").tobytes()
    slow = [struct.unpack("<f", b"\0\0" + coded[2 * i : 2 * i + 2])[0] for i in range(len(halves))]
    found = decode_request(*binary({"inputs": [binary_tensor("BF16", [len(halves)], len(coded))]}, coded))
    assert np.array_equal(found["t"], np.array(slow, np.float32), equal_nan=True)


# ---- columns


def test_one_value_a_row_is_a_column_and_many_are_an_embedding_or_named_columns():
    data = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert decode_request(body(tensor(data, shape=[6, 1])))["t"].shape == (6,)
    assert decode_request(body(tensor(data, shape=[2, 3])))["t"].shape == (2, 3)
    assert decode_request(body(tensor(data, shape=[1, 3, 2])))["t"].shape == (1, 6)
    named = decode_request(body(tensor(data, shape=[2, 3])), columns={"t": ["a", "b", "c"]})
    assert {name: values.tolist() for name, values in named.items()} == {
        "a": [1.0, 4.0],
        "b": [2.0, 5.0],
        "c": [3.0, 6.0],
    }
    assert decode_request(body(tensor([7.0], shape=[])))["t"].tolist() == [7.0]
    profile = tg.profile(decode_request(body(tensor(data, shape=[2, 3]))))
    assert (profile["t"].kind, profile.n_rows) == ("embedding", 2)


def test_the_frame_of_an_mlserver_client():
    """Content type "pd": a tensor for each column, text with a content type of its own."""
    message = {
        "parameters": {"content_type": "pd"},
        "inputs": [
            {"name": "amount", "shape": [3, 1], "datatype": "FP64", "data": [1.5, None, 2.5]},
            {
                "name": "country", "shape": [3, 1], "datatype": "BYTES", "data": ["SE", None, "DE"],
                "parameters": {"content_type": "str"},
            },
        ],
    }  # fmt: skip
    found = decode_request(json.dumps(message).encode())
    assert np.array_equal(found["amount"], [1.5, np.nan, 2.5], equal_nan=True)
    assert found["country"].tolist() == ["SE", None, "DE"]
    assert decode_request(message)["country"].tolist() == found["country"].tolist()
    profile = tg.profile(found)
    assert (profile["country"].n_null, profile["amount"].n_nan) == (1, 1)


def test_a_request_and_its_response_side_by_side():
    request = decode_request(body(tensor([1.0, 2.0]) | {"name": "amount"}))
    response = decode_response(body(tensor([0.1, 0.9]) | {"name": "score"}, side="outputs"))
    joined = rows(request, response)
    assert list(joined) == ["amount", "score"]
    assert tg.profile(joined).n_rows == 2
    with pytest.raises(InputError, match="'amount' is in the request and in the response"):
        rows(request, request)
    with pytest.raises(InputError, match="'score' has 1 rows and 'amount' has 2"):
        rows(request, {"score": response["score"][:1]})


# ---- what is refused

MALFORMED = [
    (tensor([1.0, 2.0], shape=[3]), r"shape \[3\], but a list of 2 along axis 0, not 3 values"),
    (tensor([[1.0], [2.0, 3.0]], shape=[2, 1]), "a list of 2 along axis 1, not 1 values"),
    (tensor([[1.0, 2.0], 3.0], shape=[2, 2]), "but 3.0 along axis 1, not 2 values"),
    (tensor([[1.0, 2.0], None], shape=[2, 2]), "but None along axis 1, not 2 values"),
    (tensor([[[1.0]], [[2.0]]], shape=[2, 1]), "a list of 1 among its data"),
    (tensor([], shape=[-1]), r"shape \[-1\], not a list of sizes of 0 or more"),
    (tensor([1.0], shape=[1.0]), r"shape \[1.0\], not"),
    (tensor([1.0], shape=[True]), r"shape \[True\], not"),
    (tensor([1.0], shape="1"), "shape '1', not a list of sizes"),
    (tensor([1.0], shape=[10**18]), rf"shape \[{10**18}\], the limit is {2**48} values"),
    (tensor([1.0], shape=[0, 2**70]), f"shape .0, an integer of 71 bits., the limit is {2**48} values"),
    (tensor([1.0], shape=[1] * 33), "33 axes, the limit is 32"),
    (tensor([], shape=[0, 0]), "rows of no values"),
    (tensor([1.0], "FP8"), "datatype 'FP8', not one of BOOL, UINT8"),
    (tensor([1.0], None), "datatype None, not one of"),
    (tensor([1.0], ["FP32"]), "datatype a list of 1, not one of"),
    (tensor([300], "UINT8"), "has 300, UINT8 holds 0 to 255"),
    (tensor([-1], "UINT64"), "has -1, UINT64 holds 0 to 18446744073709551615"),
    (tensor([2**63], "INT64"), "has 9223372036854775808, INT64 holds"),
    (tensor([10**400], "INT64"), "an integer of 1329 bits, INT64 holds"),
    (tensor([1.5], "INT32"), "has 1.5 among its data, which is no INT32"),
    (tensor([True], "INT32"), "has True among its data, which is no INT32"),
    (tensor([None], "INT32"), "has None among its data, which is no INT32"),
    (tensor(["1"], "FP32"), "has '1' among its data, which is no FP32"),
    (tensor([True], "FP32"), "has True among its data, which is no FP32"),
    (tensor([1], "BOOL"), "has 1 among its data, which is no BOOL"),
    (tensor([1], "BYTES"), "has 1 among its data, which is no BYTES"),
    (tensor([1e39], "FP32"), r"has 1e\+39, FP32 holds at most 3.40282e\+38 in size"),
    (tensor([-70000], "FP16"), "has -70000, FP16 holds at most 65504 in size"),
    (tensor([3.4e38], "BF16"), r"BF16 holds at most 3.38953e\+38"),
    (tensor([10**400], "FP64"), "an integer of 1329 bits, FP64 holds"),
    (tensor([float("nan")], "FP32"), "has NaN among its data, which JSON has not: send null"),
    (tensor([float("-inf")], "FP64"), "has -Infinity among its data"),
    (tensor({"0": 1.0}, shape=[1]), "has data an object, not a list"),
    (tensor("abc", "BYTES", shape=[3]), "has data 'abc', not a list"),
    ({"name": "t", "shape": [1], "datatype": "FP32"}, "has no data"),
    (tensor([["a", "b"]], "BYTES", [1, 2]), "2 columns of text, and columns= must name each"),
    (tensor([1.0], parameters=[]), "has parameters a list of 0, not an object"),
    (tensor([1.0], parameters={"binary_data_size": 8}), "has data and a binary_data_size"),
    (tensor([1.0], parameters={"shared_memory_region": "r"}), "in shared memory"),
    (binary_tensor("FP64", [1], 8), "binary_data_size of 8 bytes, 0 are left"),
    (binary_tensor("FP64", [1], -8), "binary_data_size of -8, not a number of bytes"),
    (binary_tensor("FP64", [1], 8.0), "binary_data_size of 8.0, not a number of bytes"),
    (binary_tensor("FP64", [1], True), "binary_data_size of True, not a number of bytes"),
    (binary_tensor("FP64", [1], 10**30), "binary_data_size of an integer of 100 bits bytes, 0 are left"),
]


@pytest.mark.parametrize(("one", "message"), MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_tensor_is_named_with_value_and_limit(one, message):
    with pytest.raises(InputError, match=rf"^tensor 't' .*{message}"):
        decode_request(body(one))


@pytest.mark.parametrize(
    ("whole", "message"),
    [
        (b"", "the first 0 bytes of the body are no JSON"),
        (b"\xff\xfe\xfd", "are no JSON"),
        (b"[" * 100_000, "are no JSON"),
        (b'{"inputs": [' + b"9" * 5_000 + b"]}", "are no JSON"),
        (b"[]", "a JSON object, this is a list of 0"),
        (b"{}", "a list of 'inputs', this one has None"),
        (b'{"inputs": {}}', "a list of 'inputs', this one has an object"),
        (b'{"inputs": [1]}', "inputs must be objects with a name, one is 1"),
        (b'{"inputs": [{"name": 1}]}', "inputs must be objects with a name"),
        (body(tensor([1.0]), tensor([1.0])), "column 't' stands twice among the inputs"),
        (body(tensor([1.0]) | {"name": "n" * 10_000, "shape": [2]}), r"tensor 'n{60}'\.\.\. has shape"),
    ],
    ids=range(11),
)
def test_a_malformed_body_is_refused(whole, message):
    with pytest.raises(InputError, match=message) as raised:
        decode_request(whole)
    assert len(str(raised.value)) < 500


def test_an_error_response_is_no_outputs():
    with pytest.raises(InputError, match="the response is an error, not outputs: 'out of memory'"):
        decode_response(b'{"error": "out of memory"}')


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("0", "is 0: a raw binary request"),
        ("-1", "is '-1', not a number of bytes"),
        ("1e3", "not a number of bytes"),
        ("\u0661", "not a number of bytes"),
        ("9" * 5_000, "not a number of bytes"),
        ("99999", "is 99999, but the body has"),
        ("10", "the first 10 bytes of the body are no JSON"),
    ],
)
def test_a_malformed_header_is_refused(header, message):
    with pytest.raises(InputError, match=message):
        decode_request(body(tensor([1.0])), {HEADER: header})


@pytest.mark.parametrize(
    ("one", "data", "message"),
    [
        (binary_tensor("FP32", [2], 4), b"\0" * 4, r"shape \[2\] and so 8 bytes of FP32, but a .* of 4"),
        (binary_tensor("FP32", [2**40], 8), b"\0" * 8, "bytes of FP32, but a binary_data_size of 8"),
        (binary_tensor("BOOL", [2], 2), b"\1\2", "a byte of 2, BOOL holds 0 and 1"),
        (binary_tensor("BYTES", [2], 5), b"\1\0\0\0a", "2 elements of BYTES, of at least 4 bytes"),
        (binary_tensor("BYTES", [2**47], 8), b"\0" * 8, "elements of BYTES, of at least 4 bytes"),
        (binary_tensor("BYTES", [1], 5), b"\2\0\0\0a", "a length of 2 bytes at element 0, 1 are left"),
        (binary_tensor("BYTES", [1], 5), b"\xff\xff\xff\xffa", "a length of 4294967295 bytes"),
        (binary_tensor("BYTES", [2], 9), b"\3\0\0\0aaa\0\0", "an end before the length of element 1"),
        (binary_tensor("BYTES", [1], 6), b"\1\0\0\0ab", "1 bytes after its 1 elements"),
        (binary_tensor("BYTES", [0], 1), b"a", "1 bytes after its 0 elements"),
    ],
)
def test_malformed_binary_data_is_refused(one, data, message):
    with pytest.raises(InputError, match=rf"^tensor 't' has .*{message}"):
        decode_request(*binary({"inputs": [one]}, data))


def test_binary_data_of_no_tensor_is_refused():
    with pytest.raises(InputError, match="3 bytes of binary data belong to no tensor of inputs"):
        decode_request(*binary({"inputs": [tensor([1.0])]}, b"abc"))


@pytest.mark.parametrize("wrong", [None, 1, "text", object()])
def test_a_body_that_is_none_is_refused(wrong):
    with pytest.raises(InputError, match="a body is bytes or a mapping"):
        decode_request(wrong)


def test_names_that_do_not_fit_the_tensor_are_refused():
    for names in ["ab", ["a"], ["a", "a"]]:
        with pytest.raises(InputError, match="has 2 columns, and columns= must give it as many different"):
            decode_request(body(tensor([1.0, 2.0], shape=[1, 2])), columns={"t": names})


# ---- hostile bodies: nothing but InputError, memory in proportion to the body

GOOD, HEADERS = binary(
    {
        "inputs": [
            binary_tensor("BYTES", [2], 11, "s"),
            tensor([[1, 2], [3, 4]], "INT32", [2, 2]),
            binary_tensor("FP32", [2, 1], 8, "f"),
        ]
    },
    b"\2\0\0\0SE\1\0\0\0D" + struct.pack("<ff", 1.0, 2.0),
)


def read_or_refuse(whole: bytes, headers: dict[str, str] | None) -> None:
    said = ""
    try:
        decode_request(whole, headers)
    except InputError as error:
        said = str(error)
    assert len(said) < 500


def test_every_truncation_of_a_body_is_refused():
    assert decode_request(GOOD, HEADERS)["s"].tolist() == ["SE", "D"]
    for n in range(len(GOOD)):
        with pytest.raises(InputError):
            decode_request(GOOD[:n], HEADERS)


def test_every_flipped_bit_of_a_body_is_read_or_refused():
    for i in range(len(GOOD)):
        for bit in range(8):
            flipped = bytearray(GOOD)
            flipped[i] ^= 1 << bit
            read_or_refuse(bytes(flipped), HEADERS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
DATATYPES = st.sampled_from([*NUMBERS, "BF16", "BYTES"]) | JSON
SHAPES = st.lists(st.integers(-1, 3) | st.integers(), max_size=4) | JSON
SIZES = st.fixed_dictionaries({"binary_data_size": st.integers(-1, 30) | JSON}) | JSON
TENSORS = st.fixed_dictionaries(
    {"name": st.text(max_size=2) | JSON, "datatype": DATATYPES, "shape": SHAPES},
    optional={"data": JSON, "parameters": SIZES},
)


@given(st.lists(TENSORS | JSON, max_size=3), st.binary(max_size=40))
def test_any_json_is_read_or_refused(tensors, data):
    read_or_refuse(*binary({"inputs": tensors}, data))


@pytest.mark.parametrize(
    "whole",
    [
        body(tensor([1.0], shape=[2**47])),
        body(binary_tensor("FP64", [2**44], 2**47)),
        body(binary_tensor("BYTES", [2**44], 2**47)),
        body(tensor([[]] * 10, shape=[10, 2**44])),
        b'{"inputs": [' + b"[" * 900 + b"]" * 900 + b"]}",
        b'{"inputs": [{"name": "t", "shape": [' + b"1," * 100_000 + b"1]}]}",
    ],
    ids=["shape", "binary", "text", "nested", "depth", "axes"],
)
def test_memory_follows_the_body_and_not_what_it_declares(whole):
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            decode_request(whole)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000 + 64 * len(whole)

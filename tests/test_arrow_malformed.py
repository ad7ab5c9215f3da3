"""C structures wrong in every way that a consumer can detect: each refused by a message that names the fault.

The cases run in a child process, so that a crash fails a test instead of ending them all. Buffers have their
exact size; under AddressSanitizer any read past them ends the child too. Long because it is a table with one
entry a malformation.
"""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
from itertools import chain
from random import Random

import pytest

N = 10  # rows
OFFSETS = [0, 1, 7, 8, 63]
HUGE = 2**63 - 1
LONG = b"a text of more than twelve bytes"


# Valid layouts: (schema, array) of one column, with `total` rows in its buffers.


def bitmap(total):
    """Of the last N rows the one numbered 3 is null; fewer rows have no null."""
    bits = (1 << total) - 1
    if total >= N:
        bits &= ~(1 << (total - N + 3))
    return bits.to_bytes((total + 7) // 8, "little")


def array(total, *buffers, **more):
    return {"length": total, "null_count": -1, "buffers": list(buffers), **more}


def schema(format_, **more):
    return {"format": format_.encode() + b"\0", "name": b"x\0", **more}


def fixed(format_, code, total):
    return schema(format_), array(
        total, bitmap(total), struct.pack(f"<{total}{code}", *[i % 5 for i in range(total)])
    )


def raw(format_, width, total):
    return schema(format_), array(total, bitmap(total), bytes(width * total))


def texts(format_, code, total):
    offsets = struct.pack(f"<{total + 1}{code}", *[2 * i for i in range(total + 1)])
    return schema(format_), array(total, bitmap(total), offsets, b"ab" * total)


def views(format_, total):
    short = struct.pack("<i12s", 3, b"abc")
    long = struct.pack("<i4sii", len(LONG), LONG[:4], 0, 0)
    rows = b"".join(long if i % 2 else short for i in range(total))
    return schema(format_), array(total, bitmap(total), rows, LONG, struct.pack("<q", len(LONG)))


def embedding(total):
    items = schema("f"), array(2 * total, None, bytes(8 * total))
    return schema("+w:2", children=[items[0]]), array(total, bitmap(total), children=[items[1]])


def dictionary(format_, code, values, total):
    codes = struct.pack(f"<{total}{code}", *[i % 5 for i in range(total)])
    return schema(format_, dictionary=values[0]), array(total, bitmap(total), codes, dictionary=values[1])


def runs(format_, code, values, total):
    n_runs = values[1]["length"]
    ends = [(i + 1) * total // n_runs for i in range(n_runs)]
    ends_array = {"length": n_runs, "buffers": [None, struct.pack(f"<{n_runs}{code}", *ends)]}
    children = [schema(format_), values[0]]
    return schema("+r", children=children), {"length": total, "children": [ends_array, values[1]]}


LAYOUTS = {
    "int8": lambda t: fixed("c", "b", t),
    "uint16": lambda t: fixed("S", "H", t),
    "int32": lambda t: fixed("i", "i", t),
    "uint64": lambda t: fixed("L", "Q", t),
    "float16": lambda t: fixed("e", "e", t),
    "float64": lambda t: fixed("g", "d", t),
    "boolean": lambda t: (schema("b"), array(t, bitmap(t), bytes((t + 7) // 8))),
    "decimal32": lambda t: raw("d:9,2,32", 4, t),
    "decimal128": lambda t: raw("d:9,2", 16, t),
    "decimal256": lambda t: raw("d:70,-2,256", 32, t),
    "date32": lambda t: fixed("tdD", "i", t),
    "timestamp": lambda t: fixed("tsu:UTC", "q", t),
    "utf8": lambda t: texts("u", "i", t),
    "large_binary": lambda t: texts("Z", "q", t),
    "utf8_view": lambda t: views("vu", t),
    "fixed_bytes": lambda t: raw("w:3", 3, t),
    "embedding": embedding,
    "dictionary_i8_utf8": lambda t: dictionary("c", "b", texts("u", "i", 5), t),
    "dictionary_i64_view": lambda t: dictionary("l", "q", views("vu", 5), t),
    "dictionary_u8_float": lambda t: dictionary("C", "B", fixed("g", "d", 5), t),
    "dictionary_u32_large": lambda t: dictionary("I", "I", texts("U", "q", 5), t),
    "runs_i16_utf8": lambda t: runs("s", "h", texts("u", "i", 5), t),
    "runs_i32_int": lambda t: runs("i", "i", fixed("l", "q", 5), t),
    "runs_i64_dictionary": lambda t: runs("l", "q", dictionary("i", "i", texts("u", "i", 5), 5), t),
}
FIXED = {"uint16": 2, "int32": 4, "uint64": 8, "float16": 2, "float64": 8, "decimal32": 4, "decimal128": 16,
         "decimal256": 32, "date32": 4, "timestamp": 8, "fixed_bytes": 3}  # fmt: skip
OFFSET_CODES = {"utf8": "i", "large_binary": "q"}
CODE_TYPES = {"dictionary_i8_utf8": "b", "dictionary_i64_view": "q", "dictionary_u8_float": "B",
              "dictionary_u32_large": "I"}  # fmt: skip
RUN_TYPES = {"runs_i16_utf8": "h", "runs_i32_int": "i", "runs_i64_dictionary": "q"}
DICTIONARIES = list(CODE_TYPES)
RUNS = list(RUN_TYPES)
PLAIN = [name for name in LAYOUTS if name not in DICTIONARIES and name not in RUNS and name != "embedding"]
WITH_BITMAP = [name for name in LAYOUTS if name not in RUNS]
N_BUFFERS = {name: 0 if name in RUNS else 1 if name == "embedding" else 3 if name in OFFSET_CODES else 2
             for name in LAYOUTS if name != "utf8_view"}  # fmt: skip


class Case:
    """A table of one column of a layout and one of int32, with `offset` rows before the N that count."""

    def __init__(self, layout, offset, in_table):
        total = N + offset
        self.layout, self.offset = layout, offset
        self.column_schema, self.column = LAYOUTS[layout](total)
        other_schema, other = fixed("i", "i", total)
        if in_table:
            self.table = {"length": N, "offset": offset, "buffers": [None], "children": [self.column, other]}
        else:
            self.column |= {"offset": offset, "length": N}
            self.table = {"length": N, "buffers": [None], "children": [self.column, other]}
        self.schema = {"format": b"+s\0", "name": b"\0", "children": [self.column_schema, other_schema]}

    def patch(self, holder, i, code, row, value):
        """Overwrites item `row` (of `code`'s type) of buffer i."""
        buffer = bytearray(holder["buffers"][i])
        struct.pack_into(f"<{code}", buffer, row * struct.calcsize(f"<{code}"), value)
        holder["buffers"][i] = bytes(buffer)


# Malformations: name -> (layouts, change, what the message must say). A change may return further details.

ALL = list(LAYOUTS)
MALFORMED = {}


def malformed(layouts, says):
    """Registers a change of a Case under its function's name."""

    def register(change):
        MALFORMED[change.__name__] = (layouts, change, says)
        return change

    return register


def setting(name, layouts, says, target, **values):
    """Registers the change that sets keys of one of the Case's dicts."""
    MALFORMED[name] = (layouts, lambda case: getattr(case, target).update(values), says)


RELEASED = "release is NULL"
setting("schema_released", ALL, RELEASED, "schema", released=1)
setting("column_schema_released", ALL, RELEASED, "column_schema", released=1)
setting("table_released", ALL, RELEASED, "table", released=1)
setting("column_released", ALL, RELEASED, "column", released=1)
setting("format_null", ALL, "format is NULL", "column_schema", format=None)
setting("format_empty", ALL, "format is empty", "column_schema", format=b"\0")
setting("table_format_null", ALL, "format is NULL", "schema", format=None)
BAD_FORMATS = [
    "w:-8", "w:99999999999", "w:", "w:3x", "w:1048577", "+w:-1", "+w:2147483648", "d:", "d:9", "d:0,2",
    "d:77,2", "d:9,2,64x", "d:9,2,12", "d:9,99999999999", "tss", "tsnUTC", "+ud:1,", "+us:128", "+ud:a",
]  # fmt: skip
for bad in BAD_FORMATS:
    setting(
        f"format_{bad}",
        ["int32", "fixed_bytes"],
        'format is "' + re.escape(bad),
        "column_schema",
        format=bad.encode() + b"\0",
    )
setting(
    "schema_n_children_without_children", ["int32", "utf8"], "n_children is 1", "column_schema", n_children=1
)
setting("schema_n_children_negative", ALL, "n_children is -1", "column_schema", n_children=-1)
setting(
    "table_schema_children_null",
    ALL,
    "n_children is 2, but children is NULL",
    "schema",
    children=None,
    n_children=2,
)
setting("table_schema_n_children_huge", ALL, "more than 10000 columns", "schema", n_children=2**40)
setting("table_schema_child_null", ALL, "column 0.*pointer is NULL", "schema", children=[None, None])
setting("runs_of_one_child", RUNS, "n_children is 1", "column_schema", n_children=1)
setting("list_children_null", ["embedding"], "children is NULL", "column_schema", children=None, n_children=1)
setting("list_child_null", ["embedding"], "child 0: pointer is NULL", "column_schema", children=[None])
setting("cyclic_schema", ["int32"], "cyclic", "column_schema", format=b"+l\0", children=["self"])
setting("wide_cyclic_schema", ["int32"], "cyclic", "column_schema", format=b"+s\0", children=["self"] * 9)
setting(
    "metadata_many_pairs",
    ALL,
    "number of pairs is 2147483647",
    "column_schema",
    metadata=struct.pack("<i", 2**31 - 1),
)
setting(
    "metadata_negative_pairs", ALL, "number of pairs is -1", "column_schema", metadata=struct.pack("<i", -1)
)
setting(
    "metadata_negative_key", ALL, "length of a key is -1", "column_schema", metadata=struct.pack("<ii", 1, -1)
)
setting(
    "metadata_negative_value",
    ALL,
    "length of a value is -7",
    "column_schema",
    metadata=struct.pack("<iici", 1, 1, b"k", -7),
)
setting(
    "metadata_too_long",
    ALL,
    "length of a value is 1073741824",
    "column_schema",
    metadata=struct.pack("<iici", 1, 1, b"k", 2**30),
)
for bad in ["u", "g", "tdD", "b", "+s"]:
    setting(
        f"dictionary_codes_{bad}",
        DICTIONARIES,
        "codes must be integers",
        "column_schema",
        format=bad.encode() + b"\0",
    )

setting("length_negative", ALL, "length is -1,", "column", length=-1)
setting("length_least", ALL, f"length is {-(2**63)},", "column", length=-(2**63))
setting("offset_negative", ALL, "offset is -1,", "column", offset=-1)
setting("offset_least", ALL, f"offset is {-(2**63)},", "column", offset=-(2**63))
setting("length_and_offset_overflow", ALL, "length is", "column", length=2, offset=HUGE - 1)
setting("null_count_below", ALL, "null_count is -2", "column", null_count=-2)
setting("null_count_above", ALL, "null_count is 1000", "column", null_count=1000)
setting(
    "column_children",
    [n for n in ALL if n not in RUNS and n != "embedding"],
    "n_children is 3",
    "column",
    n_children=3,
)
setting("runs_children", RUNS, "n_children is 1", "column", n_children=1)
setting("n_buffers_negative", ALL, "n_buffers is -1", "column", n_buffers=-1)
setting("n_buffers_2", ["utf8_view"], "n_buffers is 2", "column", n_buffers=2)
setting("n_buffers_huge", ["utf8_view"], f"n_buffers is {2**40}", "column", n_buffers=2**40)
setting("buffers_null_view", ["utf8_view"], "buffers is NULL", "column", buffers=None, n_buffers=4)
setting("dictionary_missing", DICTIONARIES, "dictionary is NULL", "column", dictionary=None)
setting(
    "dictionary_unexpected",
    [n for n in ALL if n not in DICTIONARIES],
    "the schema has none",
    "column",
    dictionary=fixed("i", "i", 1)[1],
)
setting("table_length_negative", ALL, "table: length is -1", "table", length=-1)
setting("table_offset_negative", ALL, "table: offset is -1", "table", offset=-1)
setting("table_overflow", ALL, "table: length is", "table", offset=HUGE - 1)
setting("table_null_count_above", ALL, "table: null_count is 11", "table", null_count=N + 1)
setting(
    "table_null_count_without_bitmap", ALL, "table: null_count is 1, but the validity", "table", null_count=1
)
setting("table_one_child", ALL, "table: n_children is 1", "table", n_children=1)
setting("table_three_children", ALL, "table: n_children is 3", "table", n_children=3)
setting("table_children_null", ALL, "table: children is NULL", "table", children=None, n_children=2)
setting("table_child_null", ALL, 'column "x": array pointer is NULL', "table", children=[None, None])
setting("table_no_buffer", ALL, "table: n_buffers is 0", "table", n_buffers=0)
setting("table_buffers_null", ALL, "table: buffers is NULL", "table", buffers=None, n_buffers=1)
setting("table_dictionary", ALL, "table: dictionary is given", "table", dictionary=fixed("i", "i", 1)[1])


@malformed(ALL, "cyclic|deeper than 64")
def deep_schema(case):
    nested = {"format": b"i\0"}
    for _ in range(500):
        nested = {"format": b"+l\0", "children": [nested]}
    case.column_schema |= nested


@malformed(["int32"], "more than 10000 columns")
def large_schema(case):
    case.schema["children"] = [{"format": b"i\0"}] * 10_001


for less_or_more in (-1, 1):
    name = "too_few_buffers" if less_or_more < 0 else "too_many_buffers"

    @malformed([n for n in N_BUFFERS if N_BUFFERS[n] + less_or_more >= 0], "n_buffers is")
    def change(case, by=less_or_more):
        case.column["n_buffers"] = N_BUFFERS[case.layout] + by

    MALFORMED[name] = MALFORMED.pop("change")


@malformed([n for n in N_BUFFERS if N_BUFFERS[n]], "buffers is NULL")
def buffers_null(case):
    case.column |= {"n_buffers": len(case.column["buffers"]), "buffers": None}


@malformed([n for n in WITH_BITMAP if n not in RUNS], "null_count is 1, but the validity buffer is NULL")
def nulls_without_bitmap(case):
    case.column["null_count"] = 1
    case.column["buffers"][0] = None


@malformed([*PLAIN, *DICTIONARIES], "buffer is NULL")
def data_null(case):
    case.column["buffers"][1] = None


@malformed(list(OFFSET_CODES), "text buffer is NULL, but the last offset is")
def text_null(case):
    case.column["buffers"][2] = None


@malformed(["utf8_view"], "variadic sizes buffer is NULL")
def view_sizes_null(case):
    case.column["buffers"][3] = None


@malformed(["utf8_view"], "data buffer 0 has size 32, but its pointer is NULL")
def view_data_null(case):
    case.column["buffers"][2] = None


@malformed(["utf8_view"], "data buffer 0 has size -1")
def view_size_of_buffer_negative(case):
    case.column["buffers"][3] = struct.pack("<q", -1)


@malformed([*(n for n in FIXED), *OFFSET_CODES, "utf8_view", "embedding"], "overflow 64 bits")
def size_overflow(case):
    case.column |= {"length": 2**62, "offset": 2**62 - 1}
    if case.layout in OFFSET_CODES:
        case.column["offset"] = 0  # there is a check of its own for one offset more


@malformed(list(OFFSET_CODES), "length \\+ 1 overflows")
def offsets_overflow(case):
    case.column |= {"length": HUGE, "offset": 0}


@malformed([*RUNS, "embedding"], "children is NULL")
def column_children_null(case):
    case.column |= {"n_children": len(case.column["children"]), "children": None}


@malformed(["embedding"], "list items: length is")
def list_of_too_many(case):
    case.column_schema["format"] = b"+w:2147483647\0"


@malformed(["embedding"], "list items: length is")
def list_items_short(case):
    case.column["children"][0]["length"] -= 1


@malformed(["embedding"], "list items: offset is -1")
def list_items_offset(case):
    case.column["children"][0]["offset"] = -1


@malformed(["embedding"], "list items: array pointer is NULL")
def list_items_null(case):
    case.column["children"][0] = None


@malformed(ALL, 'column "x": length is')
def child_shorter_than_table(case):
    case.column["length"] -= 1


@malformed(list(OFFSET_CODES), "end offset of row 5 is")
def offsets_decrease(case):
    case.patch(case.column, 1, OFFSET_CODES[case.layout], case.offset + 6, 2 * case.offset + 1)


@malformed(list(OFFSET_CODES), "end offset of row 6 is")
def offsets_leap_and_return(case):
    case.patch(case.column, 1, OFFSET_CODES[case.layout], case.offset + 6, 2_000_000_000)


@malformed(list(OFFSET_CODES), "end offset of row 4 is -5")
def offset_negative_in_the_middle(case):
    case.patch(case.column, 1, OFFSET_CODES[case.layout], case.offset + 5, -5)


@malformed(list(OFFSET_CODES), "offset of row 0 is -1")
def first_offset_negative(case):
    case.patch(case.column, 1, OFFSET_CODES[case.layout], case.offset, -1)


@malformed(DICTIONARIES, "dictionary code of row 5 is 5, allowed are 0 to 4")
def code_out_of_range(case):
    case.patch(case.column, 1, CODE_TYPES[case.layout], case.offset + 5, 5)


@malformed(["dictionary_i8_utf8", "dictionary_i64_view"], "dictionary code of row 9 is -1")
def code_negative(case):
    case.patch(case.column, 1, CODE_TYPES[case.layout], case.offset + 9, -1)


@malformed(["dictionary_i8_utf8"], "dictionary code of row 9 is -1")
def code_negative_into_a_large_dictionary(case):
    case.column_schema["dictionary"], case.column["dictionary"] = texts("u", "i", 300)
    case.patch(case.column, 1, "b", case.offset + 9, -1)


@malformed(["dictionary_u32_large"], "is 4294967295,")
def code_largest(case):
    case.patch(case.column, 1, "I", case.offset + 9, 2**32 - 1)


@malformed(DICTIONARIES, "dictionary is empty, but row 0 is not null")
def dictionary_empty(case):
    case.column["dictionary"]["length"] = 0


@malformed(DICTIONARIES, "dictionary: length is -1")
def dictionary_length_negative(case):
    case.column["dictionary"]["length"] = -1


@malformed(DICTIONARIES, "dictionary: offset is -1")
def dictionary_offset_negative(case):
    case.column["dictionary"]["offset"] = -1


@malformed(DICTIONARIES, "dictionary: array is already consumed")
def dictionary_released(case):
    case.column["dictionary"]["released"] = 1


@malformed(DICTIONARIES, "dictionary: n_buffers is 1")
def dictionary_too_few_buffers(case):
    case.column["dictionary"]["n_buffers"] = 1


@malformed(["dictionary_i8_utf8", "dictionary_u32_large"], "dictionary: end offset of row 1 is 1,")
def dictionary_offsets_decrease(case):
    case.patch(case.column["dictionary"], 1, "i" if "utf8" in case.layout else "q", 2, 1)


@malformed(["dictionary_i64_view"], "dictionary: view buffer index of row 1 is 7")
def dictionary_view_out_of_range(case):
    case.patch(case.column["dictionary"], 1, "i", 4 + 2, 7)


@malformed(["dictionary_i64_view"], "dictionary: view buffer index of row 1 is 7")
def dictionary_view_out_of_range_without_rows(case):
    dictionary_view_out_of_range(case)
    for part in (case.column, case.table):
        part["length"] = 0


@malformed(["dictionary_i8_utf8"], "dictionary: length is 4294967296")
def dictionary_too_long(case):
    case.column_schema["dictionary"] = schema("c")
    case.column["dictionary"] = array(2**32, None, b"")


def long_row(case):
    """The row, from 5 on, whose view is a long one."""
    return case.offset + 5 + (case.offset + 6) % 2


for field, code_at, value, words in [
    ("buffer_index", 2, 1, "view buffer index of row . is 1"),
    ("buffer_index_negative", 2, -1, "view buffer index of row . is -1"),
    ("offset", 3, 1, "view offset of row . is 1,"),
    ("offset_negative", 3, -1, "view offset of row . is -1"),
    ("offset_large", 3, 2**31 - 1, "view offset of row . is 2147483647"),
    ("size_negative", 0, -1, "view size of row . is -1"),
    ("size_large", 0, 2**31 - 1, "view offset of row . is 0.*for its 2147483647 bytes"),
]:

    @malformed(["utf8_view"], words)
    def view_change(case, at=code_at, to=value):
        case.patch(case.column, 1, "i", 4 * long_row(case) + at, to)

    MALFORMED[f"view_{field}"] = MALFORMED.pop("view_change")


def patch_end(case, run, value):
    case.patch(case.column["children"][0], 1, RUN_TYPES[case.layout], run, value)


@malformed(RUNS, "run end 2 is 1, allowed are")
def run_ends_decrease(case):
    patch_end(case, 2, 1)


@malformed(RUNS, "run end 0 is 0, allowed are 1")
def run_end_zero(case):
    patch_end(case, 0, 0)


@malformed(RUNS, "run end 0 is -3, allowed are 1")
def run_end_negative(case):
    patch_end(case, 0, -3)


@malformed(RUNS, "run end 1 is .*, allowed are (32768|2147483648|9223372036854775808) and above")
def run_end_after_the_largest(case):
    patch_end(case, 0, 2 ** (8 * struct.calcsize(RUN_TYPES[case.layout]) - 1) - 1)


@malformed(RUNS, "last run end is .*, but offset \\+ length is")
def runs_too_short(case):
    patch_end(case, 4, N + case.offset - 1)


@malformed(RUNS, "run ends: null_count is")
def run_ends_with_nulls(case):
    case.column["children"][0] |= {"null_count": 1}
    case.column["children"][0]["buffers"][0] = b"\x0f"


@malformed(RUNS, "run ends: the validity buffer has nulls")
def run_ends_with_nulls_uncounted(case):
    case.column["children"][0]["null_count"] = -1
    case.column["children"][0]["buffers"][0] = b"\x0f"


@malformed(RUNS, "run values: length is 4, allowed are 5")
def run_values_missing(case):
    case.column["children"][1]["length"] = 4


@malformed(RUNS, "run ends: length is 0, allowed are 1")
def no_runs(case):
    case.column["children"][0]["length"] = 0


@malformed(RUNS, "run ends: array pointer is NULL")
def run_ends_null(case):
    case.column["children"][0] = None


@malformed(RUNS, "run values: array pointer is NULL")
def run_values_null(case):
    case.column["children"][1] = None


@malformed(RUNS, "run ends: values buffer is NULL")
def run_ends_buffer_null(case):
    case.column["children"][0]["buffers"][1] = None


@malformed(["runs_i16_utf8"], "run values: end offset of row 2 is 1,")
def run_value_offsets_decrease(case):
    case.patch(case.column["children"][1], 1, "i", 3, 1)


@malformed(["runs_i64_dictionary"], "run values: dictionary code of row 4 is 77,")
def run_value_code_out_of_range(case):
    case.patch(case.column["children"][1], 1, "i", 4, 77)


# What looks wrong and is not.

ALLOWED = {}


def allowed(layouts):
    def register(change):
        ALLOWED[change.__name__] = (layouts, change)
        return change

    return register


@allowed(ALL)
def nothing_changed(case):
    pass


@allowed(ALL)
def no_rows_and_no_buffers(case):
    for part in (case.column, case.table):
        part["length"] = 0
    buffers = case.column.get("buffers", [])
    case.column["buffers"] = [None] * len(buffers)
    case.column["null_count"] = 0


@allowed(ALL)
def no_rows_and_buffers_of_no_bytes(case):
    for part in (case.column, case.table):
        part["length"] = 0
    case.column["buffers"] = [b""] * len(case.column.get("buffers", []))


@allowed(PLAIN)
def no_rows_at_offsets_whose_sum_does_not_fit(case):
    for part in (case.column, case.table):
        part |= {"length": 0, "offset": HUGE}
    case.column["offset"] = HUGE // 32 - 1  # what so many values take still fits


@allowed(DICTIONARIES)
def null_codes_are_not_looked_at(case):
    case.patch(case.column, 1, CODE_TYPES[case.layout], case.offset + 3, 99)


@allowed(["utf8_view"])
def null_views_are_not_looked_at(case):
    for i, value in enumerate([2**31 - 1, 7, -9, -9]):
        case.patch(case.column, 1, "i", 4 * (case.offset + 3) + i, value)


@allowed(DICTIONARIES)
def rows_null_in_the_table_are_not_looked_at(case):
    total = case.table["length"] + case.table.get("offset", 0)
    row = case.table.get("offset", 0) + 5
    case.table |= {
        "null_count": -1,
        "buffers": [(((1 << total) - 1) & ~(1 << row)).to_bytes((total + 7) // 8, "little")],
    }
    case.patch(case.column, 1, CODE_TYPES[case.layout], case.offset + 5, 99)


@allowed(DICTIONARIES)
def all_null_over_an_empty_dictionary(case):
    case.column["buffers"][0] = bytes(len(case.column["buffers"][0]))
    case.column["dictionary"] |= {"length": 0, "buffers": [None] * len(case.column["dictionary"]["buffers"])}


@allowed([n for n in WITH_BITMAP if n not in RUNS])
def null_count_may_lie_within_its_range(case):
    case.column["null_count"] = 0


for odd in ["_pli128", "x", "tiM", "+vl", "+r2", "n", "tsx:UTC", "w", "ux", "tDx"]:

    @allowed(["int32"])
    def odd_change(case, text=odd):
        n_children = 1 if text == "+vl" else 0
        case.column_schema |= {"format": text.encode() + b"\0", "children": [schema("i")] * n_children}
        case.column |= {"buffers": [None], "n_buffers": -7, "null_count": 99, "offset": -4, "n_children": 12}

    ALLOWED[f"format_{odd}"] = ALLOWED.pop("odd_change")


@allowed(RUNS)
def run_ends_of_another_type_are_unsupported(case):
    case.column_schema["children"][0] = schema("I")


@allowed(["fixed_bytes"])
def texts_of_no_width(case):
    case.column_schema["format"] = b"w:0\0"
    case.column["buffers"][1] = None


# Several things wrong at once, at random, wherever a consumer could notice or no harm is done. Lies that none
# can detect (a buffer shorter than it must be, a last offset past the text) are left out.

N_RANDOM = 4000


def parts(array_):
    yield array_
    for child in [*array_.get("children", []), array_.get("dictionary")]:
        if child is not None:
            yield from parts(child)


def corrupt_count(part, random):
    field = random.choice(["length", "offset", "null_count", "n_children", "n_buffers"])
    buffers = part.get("buffers", [])
    part[field] = random.choice(
        {
            "length": [-1, -(2**63), HUGE, 0, part["length"] // 2, part["length"]],
            "offset": [-1, -(2**63), HUGE, HUGE - 1],
            "null_count": [-2, -1, 0, 1, 5, N, 1000],
            "n_children": [-1, 0, 1, 2],
            "n_buffers": [-1, 0, 1, len(buffers), 2**40 if len(buffers) < 4 else 3],
        }[field]
    )
    if field == "n_children" and part["n_children"] > len(part.get("children", [])):
        part["n_children"] = -1


def corrupt_bytes(part, random):
    buffers = part.get("buffers", [])
    places = [i for i, buffer in enumerate(buffers) if buffer and i < 3]
    if not places:
        return
    i = random.choice(places)
    buffer = bytearray(buffers[i])
    if len(buffers) == 3 and i == 1:  # offsets, kept from passing the end of the text
        n_texts = len(buffers[2]) // 2
        width = len(buffer) // (n_texts + 1)
        at = random.randrange(n_texts + 1) * width
        buffer[at : at + width] = random.randint(-5, 2 * n_texts).to_bytes(width, "little", signed=True)
    else:
        buffer[random.randrange(len(buffer))] = random.choice([0, 1, 127, 128, 255, random.randrange(256)])
    buffers[i] = bytes(buffer)


def random_cases():
    for seed in range(N_RANDOM):
        random = Random(seed)
        case = Case(random.choice(ALL), random.choice(OFFSETS), in_table=random.random() < 0.5)
        for _ in range(random.randint(1, 3)):
            change = corrupt_count if random.random() < 0.3 else corrupt_bytes
            change(random.choice(list(parts(case.column))), random)
        yield f"random {case.layout} {seed}", case


def cases(table):
    """(key, Case after its change) of every layout, offset and place of the offset."""
    for name, (layouts, change, *_) in table.items():
        for layout in layouts:
            for offset in OFFSETS:
                for in_table in (False, True):
                    case = Case(layout, offset, in_table)
                    change(case)
                    yield f"{name} {layout} {offset} {in_table}", case


def is_backwards(result):
    """Whether what was taken from the last row to the first holds the same values, bit for bit."""
    forwards, backwards = [[c["values"] for c in result[key]] for key in ("columns", "backwards")]
    return repr(forwards) == repr([values[::-1] for values in backwards])


def main():
    """The child: one line of JSON a case, its key first, so that the last line names what ended it."""
    from tidegauge import _contract

    for key, case in chain(cases(MALFORMED), cases(ALLOWED), random_cases()):
        print(json.dumps(key), flush=True)
        result = _contract.arrow_import_built(case.schema, case.table)
        refused = result["refused"]
        values = None if refused else [len(column["values"]) for column in result["columns"]]
        row = {"refused": refused and refused.decode(), "released": result["n_released"], "rows": values}
        if "moved" in result:  # what stands in the structures alone was right
            row["taken"] = result.get("take_refused") == refused if refused else is_backwards(result)
        print(json.dumps(row), flush=True)


@pytest.fixture(scope="module")
def contract():
    return pytest.importorskip("tidegauge._contract")


@pytest.fixture(scope="module")
def results(contract):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    child = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    lines = [json.loads(line) for line in child.stdout.splitlines()]
    assert child.returncode == 0, f"the child ended in {lines[-1:]}: {child.stderr[-3000:]}"
    return dict(zip(lines[::2], lines[1::2], strict=True))


def of(results, name):
    return {key: row for key, row in results.items() if key.startswith(f"{name} ")}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_can_be_detected_is_refused_by_name(results, name):
    rows = of(results, name)
    assert len(rows) == len(MALFORMED[name][0]) * len(OFFSETS) * 2
    for key, row in rows.items():
        assert row["refused"], f"accepted: {key}"
        assert re.search(MALFORMED[name][2], row["refused"]), f"{key}: {row['refused']}"


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed_is_read(results, name):
    rows = of(results, name)
    assert len(rows) == len(ALLOWED[name][0]) * len(OFFSETS) * 2
    for key, row in rows.items():
        assert row["refused"] is None, f"{key}: {row['refused']}"
        assert row["rows"] == [0 if name.startswith("no_rows") else N] * 2


def test_random_corruption_is_refused_or_harmless(results):
    rows = of(results, "random").values()
    assert len(rows) == N_RANDOM
    assert all(row["refused"] or row["rows"] == [N, N] for row in rows)
    n_refused = sum(row["refused"] is not None for row in rows)
    assert N_RANDOM / 10 < n_refused < N_RANDOM * 9 / 10


def test_rows_are_taken_from_whatever_can_be_read(results):
    """Refused in the same words where it is refused, and else the same rows."""
    taken = {key: row["taken"] for key, row in results.items() if "taken" in row}
    assert [key for key, right in taken.items() if not right] == []
    assert {bool(results[key]["refused"]) for key in taken} == {True, False}


def test_every_array_is_released_once_whether_refused_or_not(results):
    released = {key: row["released"] for key, row in results.items() if not key.startswith("table_released ")}
    assert set(released.values()) == {1}


def test_garbage_below_a_null_is_not_shown(contract):
    case = Case("utf8_view", 0, in_table=False)
    ALLOWED["null_views_are_not_looked_at"][1](case)
    column, _ = contract.arrow_import_built(case.schema, case.table)["columns"]
    assert column["values"] == [None if i == 3 else LONG if i % 2 else b"abc" for i in range(N)]


def test_bitmaps_are_believed_and_null_counts_are_not(contract):
    case = Case("int32", 0, in_table=False)
    case.column["null_count"] = 0
    column, _ = contract.arrow_import_built(case.schema, case.table)["columns"]
    assert [i for i, value in enumerate(column["values"]) if value is None] == [3]


def test_names_in_messages_are_quoted(contract):
    case = Case("int32", 0, in_table=False)
    case.column_schema["name"] = b'a\x1b[31m\xff\n"' + "ü".encode() + b"x" * 200 + b"\0"
    case.column["offset"] = -1
    refused = contract.arrow_import_built(case.schema, case.table)["refused"].decode()
    assert 'column "a\\x1b[31m\\xff\\x0a"üxx' in refused
    assert "\x1b" not in refused
    assert "\n" not in refused
    assert len(refused) < 500


@pytest.mark.parametrize(
    ("raw_text", "shown"),
    [
        (b"abc", "abc"),
        ("tide-üß€𝄞".encode(), "tide-üß€𝄞"),
        (b"\xc0\xaf", "\\xc0\\xaf"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        (b"\xe2\x82", "\\xe2\\x82"),
        (b"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"),
        ("\u0085".encode(), "\\xc2\\x85"),
        (("€" * 50).encode(), "€" * 33 + "..."),
    ],
)
def test_quoted_text_is_utf8(contract, raw_text, shown):
    assert contract.arrow_quoted(raw_text).decode() == f'"{shown}"'


# Streams.


def stream(**changes):
    case = Case("utf8", 1, in_table=True)
    return {"schema": case.schema, "batches": [case.table, case.table], **changes}


def test_a_stream_is_read_to_its_end_and_released_once(contract):
    for clears_itself in (1, 0):
        result = contract.arrow_import_stream(stream(clears_itself=clears_itself))
        assert result["refused"] == []
        assert result["n_rows"] == 2 * N
        assert result["moved"]
        assert result["n_released"] == 1
        assert result["parts_released"] == [1, 1, 1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"schema_code": 5, "message": "no such table"}, 'at its schema: "no such table" \\(.*code 5'),
        ({"schema_code": 22}, "at its schema: no message"),
        ({"schema_code": 22, "no_error_callback": 1}, "at its schema: no message"),
        ({"no_next_callback": 1}, "get_next is NULL"),
        ({"released": 1}, "already consumed"),
        ({"schema": {**Case("int32", 0, False).schema, "format": b"\0"}}, "format is empty"),
    ],
)
def test_a_stream_that_cannot_start(contract, changes, says):
    result = contract.arrow_import_stream(stream(**changes))
    (refused,) = result["refused"]
    assert re.search(says, refused.decode())
    assert result["n_released"] == (0 if "released" in changes else 1)


def test_a_stream_that_breaks_off_does_not_look_finished(contract):
    case = Case("utf8", 1, in_table=True)
    result = contract.arrow_import_stream(stream(batches=[case.table, 5, case.table], message="disk\x1bgone"))
    assert result["n_rows"] == N
    assert len(result["refused"]) == 3
    assert all(b'at its next batch: "disk\\x1bgone"' in refused for refused in result["refused"])
    assert result["n_released"] == 1
    assert result["parts_released"] == [1, 1]


def test_a_stream_whose_batches_change_is_refused(contract):
    first, other = Case("utf8", 1, in_table=True), Case("int32", 1, in_table=True)
    narrow = {**first.table, "children": first.table["children"][:1]}
    for changed in (other.table, narrow, {**first.table, "length": -1}):
        result = contract.arrow_import_stream(stream(batches=[first.table, changed, first.table]))
        assert result["n_rows"] == N
        assert len(result["refused"]) == 3
        assert result["parts_released"] == [1, 1, 1]


def test_a_stream_without_batches(contract):
    result = contract.arrow_import_stream(stream(batches=[]))
    assert (result["n_rows"], result["refused"], result["n_released"]) == (0, [], 1)


if __name__ == "__main__":
    main()

"""Files: every format, compression, folder, glob and URI, and every way a file is not what it should be."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from tidegauge.arrow import batches
from tidegauge.errors import InputError

TABLE = pa.table({"a": [1, 2, 3], "f": [0.5, None, 1.5], "s": ["x", None, "z"]})
ROWS = TABLE.to_pydict()


def values(data, **options):
    read = batches(data, **options)
    out = {field.name: [] for field in read.fields}
    for batch in read:
        for i, field in enumerate(batch.fields):
            out[field[0]] += batch.to_pylist(i)
    return out


def write_stream(path):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, TABLE.schema) as writer:
        writer.write_table(TABLE)


def write_arrow(path):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, TABLE.schema) as writer:
        writer.write_table(TABLE)


def write_json(path, open_=open):
    with open_(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in TABLE.to_pylist())


def write_packed(path, codec, delimiter=","):
    with pa.CompressedOutputStream(str(path), codec) as out:
        csv.write_csv(TABLE, out, csv.WriteOptions(delimiter=delimiter))


WRITERS = {
    "x.parquet": lambda path: pq.write_table(TABLE, path),
    "x.PARQUET": lambda path: pq.write_table(TABLE, path),
    "x.pq": lambda path: pq.write_table(TABLE, path),
    "x.arrow": write_arrow,
    "x.ipc": write_stream,
    "x.arrows": write_stream,
    "x.feather": lambda path: pa.feather.write_feather(TABLE, str(path)),
    "x.csv": lambda path: csv.write_csv(TABLE, path),
    "x.tsv": lambda path: csv.write_csv(TABLE, path, csv.WriteOptions(delimiter="\t")),
    "x.csv.gz": lambda path: write_packed(path, "gzip"),
    "x.csv.zst": lambda path: write_packed(path, "zstd"),
    "x.csv.bz2": lambda path: write_packed(path, "bz2"),
    "x.csv.lz4": lambda path: write_packed(path, "lz4"),
    "x.tsv.gz": lambda path: write_packed(path, "gzip", "\t"),
    "x.jsonl": write_json,
    "x.ndjson": write_json,
    "x.json": write_json,
    "x.jsonl.gz": lambda path: write_json(path, gzip.open),
    "part-0001": lambda path: pq.write_table(TABLE, path),  # no ending: the first bytes tell
    "part-0002": write_arrow,
    "part-0003": write_stream,
    "part-0004": write_json,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format(tmp_path, name):
    WRITERS[name](tmp_path / name)
    read = batches(tmp_path / name)
    assert read.rereadable
    assert values(read) == ROWS
    assert values(read) == ROWS
    assert values(str(tmp_path / name), columns=["s", "a"], use_threads=False) == {
        "s": ROWS["s"],
        "a": ROWS["a"],
    }
    with pytest.raises(InputError, match="no column 'b'"):
        batches(tmp_path / name, columns=["b"])


def test_n_rows_is_known_where_the_format_counts_them(tmp_path):
    for name in ("x.parquet", "x.csv"):
        WRITERS[name](tmp_path / name)
    assert batches(tmp_path / "x.parquet").n_rows == 3
    assert batches(tmp_path / "x.csv").n_rows is None


def test_batches_are_small_and_keep_the_order(tmp_path):
    n = 500_000
    pq.write_table(pa.table({"a": np.arange(n)}), tmp_path / "x.parquet")
    sizes = [batch.n_rows for batch in batches(tmp_path / "x.parquet")]
    assert max(sizes) <= 131_072
    assert values(tmp_path / "x.parquet")["a"] == list(range(n))


PEAK = """
import sys
import pyarrow as pa
from tidegauge.arrow import batches

before = pa.total_allocated_bytes()
print(max(pa.total_allocated_bytes() - before for _ in batches(sys.argv[1])))
"""


def test_memory_does_not_grow_with_the_file(tmp_path):
    chunk = pa.table({name: np.random.default_rng(1).random(1 << 17) for name in "abcd"})
    with pq.ParquetWriter(tmp_path / "x.parquet", chunk.schema) as writer:
        for _ in range(24):
            writer.write_table(chunk)
    read = [sys.executable, "-c", PEAK, str(tmp_path / "x.parquet")]  # where nothing else allocates
    peak = int(subprocess.run(read, capture_output=True, text=True, check=True).stdout)
    assert (tmp_path / "x.parquet").stat().st_size > 96e6
    assert 0 < peak < 60e6


def test_a_text_file_of_several_blocks_comes_in_several_batches(tmp_path):
    with open(tmp_path / "x.csv", "w") as file:
        file.write("a,s\n" + "".join(f"{i},{'x' * 40}\n" for i in range(400_000)))
    read = batches(tmp_path / "x.csv")
    assert len(list(read)) > 1
    assert sum(batch.n_rows for batch in read) == 400_000


def test_folders_and_hive_partitions(tmp_path):
    for day, values_ in (("1", [1]), ("2", [2, 3])):
        (tmp_path / f"day={day}").mkdir()
        pq.write_table(pa.table({"a": values_}), tmp_path / f"day={day}" / "x.parquet")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".hidden.parquet").write_bytes(b"no parquet")
    (tmp_path / "README.md").write_text("not data")
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "x.parquet").write_bytes(b"no parquet")
    assert values(tmp_path) == {"a": [1, 2, 3], "day": [1, 2, 2]}
    assert values(tmp_path, columns=["day"]) == {"day": [1, 2, 2]}
    assert values(f"{tmp_path}/day=*/*.parquet") == {"a": [1, 2, 3], "day": [1, 2, 2]}
    assert values(f"{tmp_path}/day=2/x.parquet") == {"a": [2, 3]}


def test_globs(tmp_path):
    for i, folder in enumerate(("p", "p/q", "p/q/r")):
        (tmp_path / folder).mkdir()
        csv.write_csv(pa.table({"a": [i]}), tmp_path / folder / "x.csv")
    assert values(f"{tmp_path}/*/x.csv") == {"a": [0]}
    assert values(f"{tmp_path}/**/x.csv") == {"a": [2, 1, 0]}  # by name
    assert values(f"{tmp_path}/p/[qz]/?.csv") == {"a": [1]}
    assert values([f"{tmp_path}/p/*.csv", tmp_path / "p/q/x.csv"]) == {"a": [0, 1]}


def test_a_name_that_looks_like_a_glob_is_a_name_if_it_is_there(tmp_path):
    csv.write_csv(pa.table({"a": [1]}), tmp_path / "x[1].csv")
    assert values(tmp_path / "x[1].csv") == {"a": [1]}


def test_uris(tmp_path):
    for i in range(2):
        pq.write_table(pa.table({"a": [i]}), tmp_path / f"{i}.parquet")
    assert values(f"file://{tmp_path}/0.parquet") == {"a": [0]}
    assert values(f"file://{tmp_path}/*.parquet") == {"a": [0, 1]}
    assert values(f"file://{tmp_path}") == {"a": [0, 1]}


def test_home_and_relative_paths(tmp_path, monkeypatch):
    csv.write_csv(pa.table({"a": [1]}), tmp_path / "x.csv")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert values("~/x.csv") == values("x.csv") == values("*.csv") == {"a": [1]}


def test_columns_are_united_over_files(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"a": [1.5], "s": ["x"]}), tmp_path / "1.parquet")
    assert values(tmp_path) == {"a": [1.0, 1.5], "s": [None, "x"]}


def test_text_files_take_one_type(tmp_path):
    (tmp_path / "0.csv").write_text("a\n1\n")
    (tmp_path / "1.csv").write_text("a\n1.5\n")
    assert values(f"{tmp_path}/*.csv") == {"a": [1.0, 1.5]}


def test_missing_cells_of_a_csv(tmp_path):
    (tmp_path / "x.csv").write_text('f,s,c\n1.5,,SE\n,"",NA\nnan,NULL,"a\nb"\n')
    read = values(tmp_path / "x.csv")
    assert read["s"] == [None, "", None]
    assert read["c"] == ["SE", "NA", "a\nb"]
    assert read["f"][:2] == [1.5, None]
    assert np.isnan(read["f"][2])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.parquet", b"a,b\n1,2\n", "is something else, not Parquet"),
        ("x.csv", b"PAR1....PAR1", "is Parquet, not CSV"),
        ("x.csv", b"\x1f\x8b\x08\x00abcd", "is gzip, not CSV"),
        ("x.csv.gz", b"BZh91AY&", "is bz2, not gzip"),
        ("x.csv", "a,b\n".encode("utf-16"), "is UTF-16 text, not CSV"),
        ("x.json", b'[{"a": 1}]', "one JSON array"),
        ("x.parquet", b"PARE0000", "is encrypted Parquet, not Parquet"),
        ("x.feather", b"FEA10000", "is Feather version 1"),
        ("x.csv", b"", "empty file"),
        ("x.parquet", b"PAR1 and nothing else", "cannot read .*x.parquet"),
        ("x.bin", b"\x00\x01\x02", "no known format: Parquet, Arrow, CSV"),
        ("x.zip", b"PK\x03\x04...", "is zip"),
        ("x.csv", b"a,b\n1\n", "cannot read .*x.csv"),
        ("x.jsonl", b'{"a": 1}\n{"a"', "cannot read .*x.jsonl"),
        ("x.csv.gz", b"no gzip at all", "cannot read .*x.csv.gz"),
    ],
)
def test_a_file_that_is_not_what_it_should_be(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        list(batches(tmp_path / name))


def test_a_column_that_changes_its_type_on_the_way_is_named(tmp_path):
    with open(tmp_path / "x.csv", "w") as file:
        file.write("amount\n" + "1234567\n" * 1_200_000 + "many\n")
    with pytest.raises(InputError, match=r"x\.csv.*many.*with the types you mean"):
        list(batches(tmp_path / "x.csv"))


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("nothing.csv", "no file .*nothing.csv': check the path"),
        ("*.nothing", r"no file matches .*\*\.nothing'"),
        ("nowhere/*.csv", "no file matches"),
        ("", "no data file in the folder"),
        ("gopher://host/x.csv", "cannot open 'gopher://host/x.csv'"),
    ],
)
def test_nothing_there(tmp_path, location, said):
    with pytest.raises(InputError, match=said):
        batches(location if "://" in location else f"{tmp_path}/{location}")


def test_formats_do_not_mix_and_places_do(tmp_path):
    for name in ("x.csv", "x.parquet"):
        WRITERS[name](tmp_path / name)
    (tmp_path / "d").mkdir()
    WRITERS["x.csv"](tmp_path / "d" / "x.csv")
    with pytest.raises(InputError, match="one format at a time"):
        batches([tmp_path / "x.csv", tmp_path / "x.parquet"])
    assert values([tmp_path / "d", tmp_path / "x.csv"])["a"] == [1, 2, 3, 1, 2, 3]


def test_files_are_opened_again_for_each_reading(tmp_path):
    path = tmp_path / "x.csv"
    csv.write_csv(pa.table({"a": [1]}), path)
    read = batches(path)
    path.unlink()
    with pytest.raises(InputError, match=r"cannot read .*x\.csv"):
        list(read)

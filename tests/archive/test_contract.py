"""What every store promises: SQLite, a directory, and a server that speaks S3 (moto: see conftest)."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tidegauge.archive import Key, Record
from tidegauge.archive.store import OvertakenError
from tidegauge.archive.urls import opened
from tidegauge.errors import ArchiveError, ArchiveWarning, InputError
from tidegauge.window import HOUR, Window

HOSTILE = (
    "..",
    "",
    "/etc/passwd",
    "a/b=c?d#e%2F",
    "_~_~",
    "x" * 300,
    "ü" * 120,
    "new\nline\0nul",
    "'; DROP TABLE profiles; --",
    "😀",
    "_",
    "~",
    "+",
    "=",
    " ",
)


def told(store, **asked):
    return [(each.key, each.n_rows, each.final) for each in store.find(**asked)]


def states(store, keys):
    return dict(store.read(keys))


def test_nothing_is_there_at_first(store, make):
    assert store.find() == store.series() == store.quarantined() == list(store.documents("any")) == []
    assert list(store.read([make.key()])) == []


def test_what_was_appended_is_found_and_read(store, make):
    records = [
        make.record(hour, bytes([hour]) * 100, hour + 1, segment=s) for hour in range(5) for s in ("", "b")
    ]
    store.append(records)
    assert told(store) == sorted((each.key, each.n_rows, True) for each in records)
    assert states(store, [each.key for each in records]) == {each.key: each.state for each in records}


def test_it_is_there_for_another_process(store, url, make, tmp_path):
    store.append([make.record()])
    store.append([make.record(1, b"open", 7, final=False)])
    other = opened(url, read_only=True, spool=tmp_path / "spool")
    assert told(other) == [(make.key(), 1, True), (make.key(1), 7, False)]
    assert states(other, [make.key(), make.key(1)]) == {make.key(): b"state", make.key(1): b"open"}
    other.close()


def test_states_come_in_the_order_asked_for_and_those_not_there_are_left_out(store, make):
    store.append([make.record(hour, bytes([hour])) for hour in range(10)])
    asked = [make.key(hour) for hour in (7, 99, 0, 3)]
    assert [found for found, _ in store.read(asked)] == [make.key(7), make.key(0), make.key(3)]


def test_finding_by_every_field(store, make):
    fields = [
        {"model": "m"},
        {"model": "other"},
        {"version": "2"},
        {"reference_id": "s"},
        {"segment": '{"country":"SE"}'},
        {"writer": "v"},
        {"sequence": 3},
    ]
    for each in fields:
        store.append([make.record(hour, **each) for hour in range(4)])
    keys = [make.key(hour, **each) for hour in range(4) for each in fields]

    def expected(**wanted):
        return sorted(
            key for key in keys if all(getattr(key, name) == value for name, value in wanted.items())
        )

    for wanted in (
        {"model": "m"},
        {"model": "other"},
        {"model": "none"},
        {"model": "m", "version": "2"},
        {"version": "1"},
        {"reference_id": "s"},
        {"segment": ""},
        {"segment": '{"country":"SE"}', "model": "m"},
        {"model": "m", "version": "1", "reference_id": "r", "segment": ""},
    ):
        assert [each.key for each in store.find(**wanted)] == expected(**wanted), wanted
    assert store.series() == sorted({(key.model, key.version, key.reference_id) for key in keys})


def test_windows_that_overlap_are_found_and_no_others(store, make):
    store.append([make.record(hour) for hour in range(-3, 4)])
    for start in range(-5 * HOUR, 5 * HOUR, HOUR // 2):
        for end in range(start, 5 * HOUR, HOUR // 2 + 1):
            found = [each.key.window for each in store.find(start_ns=start, end_ns=end)]
            wanted = [make.key(hour).window for hour in range(-3, 4)]
            assert found == [each for each in wanted if each.start_ns < end and each.end_ns > start]
    assert [each.key for each in store.find(start_ns=2 * HOUR)] == [make.key(2), make.key(3)]
    assert [each.key for each in store.find(end_ns=-2 * HOUR)] == [make.key(-3)]


def test_an_equal_key_is_replaced(store, make):
    store.append([make.record(0, b"first", 1), make.record(1, b"beside", 1)])
    store.append([make.record(0, b"second", 2)])
    assert told(store) == [(make.key(), 2, True), (make.key(1), 1, True)]
    assert states(store, [make.key(), make.key(1)]) == {make.key(): b"second", make.key(1): b"beside"}


def test_appending_again_adds_nothing(store, make):
    records = [make.record(hour, b"x" * hour, hour) for hour in range(3)]
    for again in (records, records[:1], records[1:], records):
        store.append(again)
    assert told(store) == [(each.key, each.n_rows, True) for each in records]


def test_a_checkpoint_grows_until_it_is_final(store, make):
    for n in range(1, 4):
        store.append(
            [make.record(0, b"grows" * n, n, final=False), make.record(1, b"too" * n, n, final=False)]
        )
        assert told(store) == [(make.key(), n, False), (make.key(1), n, False)]
        assert states(store, [make.key()]) == {make.key(): b"grows" * n}
    store.append([make.record(0, b"whole", 9), make.record(1, b"more", 8, final=False)])
    assert told(store) == [(make.key(), 9, True), (make.key(1), 8, False)]
    assert states(store, [make.key(), make.key(1)]) == {make.key(): b"whole", make.key(1): b"more"}


def test_a_checkpoint_that_comes_late_does_not_replace_what_is_final(store, make):
    store.append([make.record(0, b"whole", 9)])
    store.append([make.record(0, b"old", 3, final=False)])
    assert told(store) == [(make.key(), 9, True)]
    assert states(store, [make.key()]) == {make.key(): b"whole"}


def test_records_of_several_models_in_one_append(store, make):
    records = [make.record(hour, model=model, n_rows=hour + 1) for model in ("a", "b") for hour in range(2)]
    store.append([*records, make.record(5, final=False)])
    assert len(store.find()) == 5
    assert states(store, [each.key for each in records]) == {each.key: each.state for each in records}


def test_many_records_and_large_states(store, make):
    records = [make.record(0, bytes([i % 256]) * 5_000, i, segment=f"s{i:04d}") for i in range(500)]
    store.append([*records, make.record(0, b"total" * 100_000)])
    assert len(store.find(model="m")) == 501
    assert states(store, [make.key()]) == {make.key(): b"total" * 100_000}
    some = [each.key for each in records[::-37]]
    assert states(store, some) == {each.key: each.state for each in records[::-37]}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names(store, make, text):
    fields = dict.fromkeys(("model", "version", "reference_id", "segment", "writer"), text)
    store.append([make.record(**fields), make.record(1, segment=text, model=text), make.record(2)])
    store.append([make.record(3, final=False, **fields)])
    assert make.key(**fields) in [each.key for each in store.find(model=text)]
    assert len(store.find(model=text)) == 3
    assert states(store, [make.key(**fields)]) == {make.key(**fields): b"state"}
    assert (text, text, text) in store.series()
    store.put_document("verdicts", text, b"told")
    store.put_document(text[:20], "name", b"kind")
    assert dict(store.documents("verdicts", text)) == {text: b"told"}
    assert dict(store.documents(text[:20])) == {"name": b"kind"}
    store.delete_documents("verdicts", [text])
    assert list(store.documents("verdicts")) == []


def test_names_that_no_store_can_hold_are_refused(store, make):
    for field in ("model", "version", "reference_id", "segment", "writer"):
        with pytest.raises(InputError, match=f"key: {field}"):
            make.key(**{field: "\ud800"})
        with pytest.raises(InputError, match="16,384 is the limit"):
            make.key(**{field: "x" * 20_000})
    with pytest.raises(InputError, match="not UTF-8"):
        store.put_document("verdicts", "\udc80", b"")
    with pytest.raises(InputError, match="sequence -1"):
        make.key(sequence=-1)
    with pytest.raises(InputError, match="n_rows -1"):
        make.record(n_rows=-1)


def test_one_does_what_is_done_alone_and_others_wait(local_url, tmp_path):
    one, other = (opened(local_url, read_only=False, spool=tmp_path / "spool") for _ in range(2))
    order = []

    def wait():
        with other.alone("labels"):
            order.append("other")

    one.put_document("any", "made", b"")
    thread = threading.Thread(target=wait)
    with one.alone("labels"):
        thread.start()
        thread.join(0.2)
        order.append("one")
    thread.join(30)
    assert order == ["one", "other"]
    reading = opened(local_url, read_only=True, spool=tmp_path / "spool")
    with pytest.raises(ArchiveError, match="read_only=True"):
        reading.alone("labels")
    for each in (one, other, reading):
        each.close()


def test_documents(store):
    assert store.put_document("verdicts", "m/1", b"one")
    assert store.put_document("verdicts", "m/2", b"two", if_absent=True)
    assert not store.put_document("verdicts", "m/2", b"again", if_absent=True)
    assert store.put_document("claims", "m/1", b"other kind")
    assert store.put_document("verdicts", "n/1", b"")
    assert list(store.documents("verdicts")) == [("m/1", b"one"), ("m/2", b"two"), ("n/1", b"")]
    assert list(store.documents("verdicts", "m/")) == [("m/1", b"one"), ("m/2", b"two")]
    assert store.document_names("verdicts", "m/") == ["m/1", "m/2"]
    assert store.put_document("verdicts", "m/1", b"replaced")
    assert dict(store.documents("verdicts", "m/1")) == {"m/1": b"replaced"}
    store.delete_documents("verdicts", ["m/2", "not there"])
    assert [name for name, _ in store.documents("verdicts")] == ["m/1", "n/1"]


def test_what_is_read_only_is_not_written(store, url, make, tmp_path):
    store.append([make.record()])
    other = opened(url, read_only=True, spool=tmp_path / "spool")
    for write in (
        lambda: other.append([make.record(1)]),
        lambda: other.put_document("verdicts", "x", b""),
        lambda: other.delete_documents("verdicts", ["x"]),
        lambda: other.replace([make.record(1)], [make.key()]),
        lambda: other.quarantine([make.key()], "why"),
    ):
        with pytest.raises((ArchiveError, InputError), match=r"read_only=True|in the time"):
            write()
    assert told(other) == [(make.key(), 1, True)]
    other.close()


def test_replacing(store, make):
    store.append([make.record(hour, bytes([hour]), n_rows=1) for hour in range(4)])
    day = Record(Key("m", "1", "r", Window(0, 24 * HOUR), writer="merged"), 3, b"day")
    with pytest.raises(OvertakenError):
        store.replace([day], [make.key(0), make.key(1), make.key(11)])
    assert len(store.find()) == 4
    store.replace([day], [make.key(hour) for hour in range(3)])
    assert told(store) == [(day.key, 3, True), (make.key(3), 1, True)]
    assert states(store, [day.key, make.key(0), make.key(3)]) == {day.key: b"day", make.key(3): b"\3"}
    with pytest.raises(OvertakenError):
        store.replace([day], [make.key(0)])


def test_what_is_merged_is_merged_again(store, make):
    store.append([make.record(hour, n_rows=hour) for hour in range(48)])

    def longer(begin, hours, writer):
        window = Window(begin * HOUR, (begin + hours) * HOUR)
        n_rows = sum(range(begin, begin + hours))
        return Record(Key("m", "1", "r", window, writer=writer), n_rows, writer.encode())

    days = [longer(0, 24, "day0"), longer(24, 24, "day1")]
    for i, day in enumerate(days):
        store.replace([day], [make.key(hour) for hour in range(24 * i, 24 * i + 24)])
    assert [each.key for each in store.find()] == [day.key for day in days]
    both = longer(0, 48, "both")
    store.replace([both], [day.key for day in days])
    assert told(store) == [(both.key, sum(range(48)), True)]
    assert states(store, [both.key]) == {both.key: b"both"}


def test_quarantine(store, make):
    store.append([make.record(hour, n_rows=5) for hour in range(3)])
    store.append([make.record(4, n_rows=5, segment=s) for s in "abc"])
    store.quarantine([make.key(1), make.key(4, segment="b"), make.key(77)], "does not decode")
    assert [each.key for each in store.find()] == [
        make.key(0),
        make.key(2),
        make.key(4, segment="a"),
        make.key(4, segment="c"),
    ]
    assert [each.key for each in store.find(segment="b")] == []
    aside = store.quarantined()
    assert {each.key for each in aside} == {make.key(1), make.key(4, segment="b")}
    assert {each.why for each in aside} == {"does not decode"}
    assert all(each.when_ns > 1_600_000_000 * 10**9 for each in aside)
    store.append([make.record(1, b"better", 6)])
    assert (make.key(1), 6, True) in told(store)
    assert states(store, [make.key(1)]) == {make.key(1): b"better"}
    assert len(store.quarantined()) == 2, "what was set aside is kept"


def test_closing_and_going_on(store, make):
    store.append([make.record()])
    store.append([make.record(1, final=False)])
    store.close()
    store.close()
    assert [each.key for each in store.find()] == [make.key(), make.key(1)]
    store.append([make.record(2)])
    assert len(store.find()) == 3


def test_threads(store, make):
    failed = []

    def work(number: int) -> None:
        try:
            for hour in range(10):
                store.append([make.record(hour, b"%d" % number, number, writer=f"w{number}")])
                store.append([make.record(hour, b"open", hour, writer=f"open{number}", final=False)])
                assert states(store, [make.key(hour, writer=f"w{number}")])
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert sum(each.final for each in store.find()) == 40
    assert len(store.find()) == 80


APPENDER = """
import sys
from tidegauge.archive import Key, Record
from tidegauge.archive.urls import opened
from tidegauge.window import HOUR, Window, Window
url, spool, writer, n = *sys.argv[1:4], int(sys.argv[4])
store = opened(url, read_only=False, spool=spool)
for hour in range(n):
    window = Window(hour * HOUR, (hour + 1) * HOUR)
    store.append([Record(Key("m", "1", "r", window, s, writer), hour, b"x" * 1000) for s in ("", "a")])
    store.append([Record(Key("m", "1", "r", window, s, writer + "-late"), 1, b"y", False) for s in ("", "a")])
store.close()
"""


def test_two_processes_append_at_once(store, url, tmp_path):
    n = 40
    workers = [
        subprocess.Popen([sys.executable, "-c", APPENDER, url, str(tmp_path / "spool"), writer, str(n)])
        for writer in ("one", "two")
    ]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    found = store.find()
    assert len({each.key for each in found}) == len(found) == 2 * 2 * 2 * n
    assert sum(each.n_rows for each in found if each.final) == 4 * sum(range(n))


CLAIMER = """
import sys
from tidegauge.archive.urls import opened
store = opened(sys.argv[1], read_only=False)
sys.stdin.readline()
print([store.put_document("claims", f"window {i}", sys.argv[2].encode(), if_absent=True) for i in range(30)])
"""


def test_one_of_eight_processes_makes_a_document(local_url):
    store = opened(local_url, read_only=False)
    assert store.conditional
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, local_url, str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(8)
    ]
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    won = [json.loads(worker.communicate(timeout=120)[0].lower()) for worker in workers]
    assert [sum(of_window) for of_window in zip(*won, strict=True)] == [1] * 30
    bodies = dict(store.documents("claims"))
    for i in range(30):
        assert won[int(bodies[f"window {i}"])][i], "what is there is what the winner put"
    store.close()


def test_an_object_store_that_is_not_there(s3, make):
    store = opened(f"s3://key:secret@none/x?endpoint_override={s3}&scheme=http", read_only=False)
    assert not store.conditional, "processes cannot agree on who is first"
    match = r"archive s3://none/x: cannot write .*look at the bucket's name"
    with pytest.raises(ArchiveError, match=match) as failed:
        store.append([make.record()])
    assert "secret" not in str(failed.value)
    nobody = opened("s3://key:secret@none/x?endpoint_override=127.0.0.1:9&scheme=http", read_only=True)
    with pytest.raises(ArchiveError, match=r"archive s3://none/x: cannot list .*the network"):
        nobody.find()


def test_a_foreign_file_among_the_others_does_no_harm(make, tmp_path):
    store = opened(tmp_path / "here", read_only=False)
    store.append([make.record()])
    folder = next(Path(tmp_path).rglob("*.parquet")).parent
    (folder / "README.txt").write_text("not ours")
    (folder / "1_2_3_4_5.parquet").write_bytes(b"not Parquet")
    (folder / "x.parquet").write_bytes(b"")
    with pytest.warns(ArchiveWarning, match="no whole Parquet file") as warned:
        assert told(store) == [(make.key(), 1, True)]
    assert len(warned) == 2
    assert told(store) == [(make.key(), 1, True)]
    assert {each.key for each in store.quarantined()} == {None}
    assert (folder / "README.txt").exists()
    store.close()

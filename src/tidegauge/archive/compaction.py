"""Compaction: windows merged into longer ones, every row kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from tidegauge.archive.reading import merged_by
from tidegauge.archive.records import Compacted, Found, Key, Record, digest_of, fields_of
from tidegauge.archive.shelves import is_on_shelf
from tidegauge.archive.store import OvertakenError, Store
from tidegauge.window import Window, origin_ns

MERGED = "merged-"  # how the writers that compaction makes up begin
Step = tuple[str, str, str, Window]  # model, version, reference_id and the window to be


def compact(
    store: Store, model: str | None, *, width_ns: int, before_ns: int, settled: Callable[[Found], bool]
) -> Compacted:
    """Merge records whose windows nest in a step of `width_ns` that ended at or before `before_ns`.

    Only records that are `settled`. A step is replaced whole, all its segments together; one that another
    process compacts meanwhile is left to it. Raises ArchiveError; the steps done by then stay done.
    """
    before = after = n_rows = 0
    listed = store.find(model=model, end_ns=before_ns)
    for (of_model, version, reference_id, window), parts in by_step(listed, width_ns, before_ns, settled):
        if done_already(parts, window):
            continue

        def found_again(
            step: Step = (of_model, version, reference_id, window),
        ) -> Sequence[Found]:
            again = store.find(
                model=step[0],
                version=step[1],
                reference_id=step[2],
                start_ns=step[3].start_ns,
                end_ns=step[3].end_ns,
            )
            return dict(by_step(again, width_ns, before_ns, settled)).get(step, [])

        merged = merged_by(store, first_then(parts, found_again), lambda key: key.segment, read_only=False)
        replaced = sorted((key for each in merged.values() for key in each.keys), key=fields_of)
        if not replaced:
            continue
        # Two that merge the same make the same key.
        writer = f"{MERGED}{digest_of([fields_of(key) for key in replaced])}"
        records = [
            Record(
                Key(of_model, version, reference_id, window, segment, writer),
                each.profile.n_rows,
                each.profile.to_bytes(),
            )
            for segment, each in merged.items()
        ]
        try:
            store.replace(records, replaced)
        except OvertakenError:
            continue
        before += len(replaced)
        after += len(records)
        n_rows += sum(record.n_rows for record in records)
    return Compacted(before, after, n_rows)


def by_step(
    found: Sequence[Found], width_ns: int, before_ns: int, settled: Callable[[Found], bool]
) -> Iterator[tuple[Step, list[Found]]]:
    """Give each step that is over, and what of it is settled; labels where the rows of their window are."""
    open_windows = {(*each.key.series, each.key.window) for each in found if not settled(each)}
    steps: dict[Step, list[Found]] = defaultdict(list)
    for each in found:
        if is_on_shelf(each.key.model):
            continue
        step = step_of(each.key.window, width_ns)
        if not each.n_rows and (*each.key.series, each.key.window) in open_windows:
            continue
        if step is not None and step.end_ns <= before_ns and settled(each):
            steps[each.key.model, each.key.version, each.key.reference_id, step].append(each)
    yield from steps.items()


def step_of(window: Window, width_ns: int) -> Window | None:
    """Return the step of `width_ns` in which a window nests, None if it reaches over its ends."""
    origin = origin_ns(width_ns)
    start = (window.start_ns - origin) // width_ns * width_ns + origin
    if window.end_ns > start + width_ns or start < -(2**63) or start + width_ns >= 2**63:
        return None
    return Window(start, start + width_ns)


def done_already(parts: Sequence[Found], window: Window) -> bool:
    """Tell whether each segment has one record, of the whole step."""
    whole = all(each.key.window == window and each.final for each in parts)
    return whole and len({each.key.segment for each in parts}) == len(parts)


def first_then(found: Sequence[Found], again: Callable[[], Sequence[Found]]) -> Callable[[], Sequence[Found]]:
    """Return a function that gives `found`, and from its second call on what `again` gives."""
    kept = iter([found])
    return lambda: next(kept, None) or again()

"""Labels that come late count as if they had come with their rows, whatever came before and in what order."""

from __future__ import annotations

import numpy as np

import tidegauge as tg


def test_labels_that_come_late_count_as_if_they_had_come_with_their_rows(monitor, url, reference, late):
    rows = late.payments(5_000)
    with monitor() as watching:
        watching.update(late.without_labels(rows))
        report = watching.label(late.labels_of(rows).take(np.random.default_rng(2).permutation(5_000)))
        assert (report.n_rows, report.n_given, report.stored) == (5_000, 5_000, True)
        again = watching.label(late.labels_of(rows.slice(0, 100)))
        assert (again.n_given, again.n_duplicate) == (0, 100)
    with tg.Archive(url) as archive:
        late.require_equal(archive, rows, reference)
        assert archive.models() == [("m", "", archive.id_of(reference))]

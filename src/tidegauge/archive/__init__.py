"""The archive: profiles by key, for many writers; any range of time is a merge."""

from tidegauge.archive.archive import Archive
from tidegauge.archive.label_report import Coverage, LabelReport
from tidegauge.archive.records import Compacted, Found, Key, Quarantined, Record
from tidegauge.archive.shelves import Series
from tidegauge.archive.sqlite import SqliteStore
from tidegauge.archive.store import Store
from tidegauge.archive.writers import Writer

__all__ = [
    "Archive",
    "Compacted",
    "Coverage",
    "Found",
    "Key",
    "LabelReport",
    "Quarantined",
    "Record",
    "Series",
    "SqliteStore",
    "Store",
    "Writer",
]

"""The command line: `tidegauge profile | reference | show | compare | scan | performance | label | ...`.

Exit codes: 0 nothing found, 1 something found (`compare`, `scan`, `performance` and `judge`: a warning or an
alert, or what --fail-on says), 2 an error. Results go to stdout, progress (on a terminal only) and errors to
stderr.
"""

from tidegauge.cli.group import main

__all__ = ["main"]

"""`python -m tidegauge.demo [FOLDER]`: run the demo, in `./demo` unless told otherwise."""

import sys
from pathlib import Path

from tidegauge.demo.job import run

if __name__ == "__main__":
    run(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))

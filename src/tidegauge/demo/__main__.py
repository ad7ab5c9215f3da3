"""`python -m tidegauge.demo [FOLDER [DATA]]`: run the demo in FOLDER, `./demo` unless told otherwise.

DATA is a folder with real data sets that the demo shows as well, where it has them.
"""

import sys
from pathlib import Path

from tidegauge.demo.job import run

if __name__ == "__main__":
    folder, *data = map(Path, sys.argv[1:] or ["demo"])
    run(folder, data=next(iter(data), None))

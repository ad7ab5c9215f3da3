"""Install each library twice, plain and as its .txt says, and time what works: `python run.py FOLDER`.

Environments are made in FOLDER (5 GB or so) and kept; results.json beside this file tells what happened.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
LIBRARIES = ("whylogs", "evidently", "nannyml")


def environment(folder: Path, *requirements: str) -> Path:
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
    return python


def measure(python: Path, library: str) -> subprocess.CompletedProcess[str]:
    command = [python, "-W", "ignore", HERE / "measure.py", library]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def judge(folder: Path, library: str) -> dict[str, object]:
    plain = measure(environment(folder / f"{library}-plain", library, "numpy", "pandas"), library)
    pinned = measure(environment(folder / library, "-r", str(HERE / f"{library}.txt")), library)
    pinned.check_returncode()
    last = plain.stderr.strip().splitlines()[-1] if plain.returncode else ""
    failure = last.partition(" (/")[0].replace("`", "'")
    row = json.loads(pinned.stdout.splitlines()[-1])
    return row | {"install": f"fails: `{failure}`" if failure else "works"}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    results = {
        "what": "Four lognormal float64 columns, 200,000 rows a side; a value is one cell of what is read.",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "peers": [judge(folder, library) for library in LIBRARIES],
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")

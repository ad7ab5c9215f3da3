"""Ask each library in its own environment, and ourselves in this one: `python run.py FOLDER [quick]`.

Environments are made in FOLDER as benchmarks/peers/ has them (its .txt files) and kept. Writes
../results/peers.json, from which the page can be written again without them; a library that cannot be
installed or asked is told with its error.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = HERE.parent.parent / "peers"
LIBRARIES = ("evidently", "nannyml", "whylogs")


def environment(folder: Path, library: str) -> Path:
    """Return the Python of a library's environment, made if there is none."""
    python = folder / library / "bin" / "python"
    if not python.exists():
        venv.create(folder / library, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS / f"{library}.txt"]
        subprocess.run(install, check=True, capture_output=True, text=True)
    return python


def ask(python: str | Path, library: str, words: list[str]) -> dict[str, object]:
    command = [python, "-W", "ignore", HERE / "alarms.py", library, *words]
    asked = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(asked.stdout.splitlines()[-1])


def main() -> None:
    folder, words = Path(sys.argv[1]), sys.argv[2:]
    found, notes = [ask(sys.executable, "tidegauge", words)], []
    for library in LIBRARIES:
        try:
            told = ask(environment(folder, library), library, words)
        except subprocess.CalledProcessError as error:
            last = (error.stderr or "").strip().splitlines()[-1:]
            notes.append(f"{library} could not be asked: `{' '.join(last)}`")
            continue
        notes.append(f"{library} {told['version']}, with NumPy {told['numpy']} and pandas {told['pandas']}.")
        found.append(told)
    results = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "draws": found[0]["draws"],
        "shift_sizes": [[10_000, 1_000], [100_000, 10_000]],
        "shifts": {who: each for told in found for who, each in told["shifts"].items()},
        "notes": notes,
        "rows": [row for told in found for row in told["rows"]],
    }
    head = json.dumps({key: value for key, value in results.items() if key != "rows"})
    rows = ",\n".join(json.dumps(row) for row in results["rows"])
    (HERE.parent / "results" / "peers.json").write_text(f'{head[:-1]}, "rows": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()

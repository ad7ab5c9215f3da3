"""Ask libraries in their own environments, and ourselves in this one: `python run.py FOLDER [LIBRARY ...]`.

Environments are made in FOLDER as benchmarks/peers/ has them (its .txt files) and kept. Each answer goes to
../results/peers/, from where the page can be written again without them; a library that cannot be installed
or asked is told with its error.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = HERE.parent.parent / "peers"
RESULTS = HERE.parent / "results" / "peers"
LIBRARIES = ("tidegauge", "evidently", "nannyml", "whylogs")


def environment(folder: Path, library: str) -> Path:
    """Return the Python of a library's environment, made if there is none."""
    if library == "tidegauge":
        return Path(sys.executable)
    python = folder / library / "bin" / "python"
    if not python.exists():
        venv.create(folder / library, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS / f"{library}.txt"]
        subprocess.run(install, check=True, capture_output=True, text=True)
    return python


def ask(folder: Path, library: str) -> str:
    """Return the answer as JSON, one row a line."""
    try:
        command = [environment(folder, library), "-W", "ignore", HERE / "alarms.py", library]
        asked = subprocess.run(command, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:]
        return json.dumps({"library": library, "error": " ".join(last)}) + "\n"
    told = json.loads(asked.stdout.splitlines()[-1])
    rows = ",\n".join(json.dumps(row) for row in told.pop("rows"))
    return f'{json.dumps(told)[:-1]}, "rows": [\n{rows}\n]}}\n'


def main() -> None:
    folder, *libraries = sys.argv[1:]
    RESULTS.mkdir(parents=True, exist_ok=True)
    for library in libraries or LIBRARIES:
        (RESULTS / f"{library}.json").write_text(ask(Path(folder), library))


if __name__ == "__main__":
    main()

"""What tries to break the engine, and keeps trying: `make trust`, `make trust-deep BUDGET=2h`.

Each part (`part.py`) tries numbered cases; the number of a case is all it takes to try it again. `parts.py`
lists the parts, `totals.py` keeps what deep runs have tried, `__main__.py` is the front door.
"""

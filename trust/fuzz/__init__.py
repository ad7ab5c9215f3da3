"""Hostile bytes for every decoder, and hostile tables for the importer: programs under sanitizers.

`driver.cpp` makes executions from their numbers; `parts.py` runs it and tells what it found.
"""

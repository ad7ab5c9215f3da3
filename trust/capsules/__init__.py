"""Malformed Arrow C Data structures: made by number, refused by name, or read as they are.

`tests/contract/capsule*.cpp` makes them, judges them and gives them to the engine; here they are run, crashes
isolated, and shown to other libraries (`python -m trust.capsules.peers`).
"""

"""Rows of the reference and of the window in what is asked of every library."""

SIZES = ((1_000, 100), (1_000, 500), (5_000, 500), (10_000, 1_000))
SHIFT_SIZES = ((10_000, 1_000), (100_000, 10_000))

"""Hypothesis: no deadlines, which a busy machine misses; in CI the same examples each time.

A new example that fails is worth having on a developer's machine, where it can be looked at. A change that
has nothing to do with it should not be refused for it.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("tidegauge", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("tidegauge")

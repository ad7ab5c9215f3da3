"""Generated examples have no deadline: on a busy machine the clock is no judge of an answer."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("tidegauge", deadline=None)
settings.load_profile("tidegauge")

"""Hooks of a serving process: a decorated scoring function, a lifespan, gunicorn's workers, inference bodies.

Nothing here imports a server: hooks are plain functions in the shapes that ASGI and gunicorn call.
"""

from __future__ import annotations

from tidegauge.serving.asgi import lifespan
from tidegauge.serving.decorator import watched

__all__ = ["lifespan", "watched"]

"""The door to packages that only reports need."""

from __future__ import annotations

import importlib
from types import ModuleType

from tidegauge.errors import InputError


def require(module: str, package: str) -> ModuleType:
    """Import a module of the extra `report`; InputError says what to install where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{package} is not installed, which this report needs: pip install 'tidegauge[report]'"
        ) from error

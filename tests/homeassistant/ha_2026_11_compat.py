"""The fixtures and hooks of pytest-homeassistant-custom-component, made to load on Home Assistant 2026.11.

Its newest release is for 2026.10 and imports a name that has moved since. conftest.py takes everything in with
`from .ha_2026_11_compat import *`, so that it holds for this folder only; pyproject.toml keeps pytest from loading
it as a plugin for all tests. Delete the middle part with the first release for 2026.11 (0.13.376).
"""

import homeassistant.components.logger as _logger
import homeassistant.components.logger.helpers as _helpers

# Home Assistant's test configuration folder comes with a `custom_components` of its own: ours must be imported first.
import custom_components  # noqa: F401

if not hasattr(_logger, "_clear_logger_overwrites"):
    _logger._clear_logger_overwrites = _helpers._clear_logger_overwrites

from pytest_homeassistant_custom_component.plugins import *  # noqa: F403

del pytest_addoption  # noqa: F821  in tests/conftest.py

"""Wyoming Units: local voice and camera AI servers for Home Assistant."""

from importlib.metadata import version

__version__ = version("wyoming-units")

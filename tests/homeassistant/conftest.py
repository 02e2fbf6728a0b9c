"""What holds for all tests of the integration inside a real Home Assistant core."""

from .ha_2026_11_compat import *  # noqa: F403  must come first
from .issues import repairs  # noqa: F401
from .node_fixtures import *  # noqa: F403
from .watched_camera import camera, seeing, short_waits, watching  # noqa: F401

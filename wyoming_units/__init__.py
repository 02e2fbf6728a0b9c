"""Wyoming Units: local voice and camera AI servers for Home Assistant."""

import os
from importlib.metadata import version

__version__ = version("wyoming-units")

for _name, _value in {
    # They phone home otherwise; read when they are imported.
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # numpy's products are small here, and waking threads for them takes longer than computing.
    "OPENBLAS_NUM_THREADS": "1",
}.items():
    os.environ.setdefault(_name, _value)

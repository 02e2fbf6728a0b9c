"""Names that more than one module of the integration uses."""

import logging
from typing import Final

DOMAIN: Final = "wyoming_units"
LOGGER: Final = logging.getLogger(__package__)

DEFAULT_PORT: Final = 10600
PROTOCOL: Final = 1
"""The newest version of the node contract that this integration speaks."""

SAMPLE_RATE: Final = 16_000
SAMPLE_WIDTH: Final = 2
SAMPLE_CHANNELS: Final = 1

CONF_PIPELINE_CONSENT: Final = "pipeline_consent"
"""In entry data: the user's one-shot yes to a pipeline, `{preferred: bool}`, until it is made."""
CONF_PIPELINE_ID: Final = "pipeline_id"
"""In entry data: the pipeline that was made; it stays when the user deletes the pipeline."""
CONF_CREATE_PIPELINE: Final = "create_pipeline"
CONF_PREFERRED: Final = "preferred"

"""The way of what is being said from a speech-to-text entity to the sensor that shows it."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.util.signal_type import SignalType

from .const import DOMAIN


def caption_signal(entry: ConfigEntry, program: str) -> SignalType[str, str | None]:
    """Return the signal for the text so far, and its speaker, of a program."""
    return SignalType(f"{DOMAIN}_caption_{entry.entry_id}_{program}")

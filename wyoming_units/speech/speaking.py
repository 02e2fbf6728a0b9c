"""How the tts unit speaks."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class SpeakingOptions:
    """Pace and bounds of speech; the defaults suit a spoken assistant."""

    first_length: int = 60
    """Letters up to which a first sentence stays whole; a longer one is cut early, to be heard early."""
    max_length: int = 250
    """Letters up to which any later sentence stays whole."""
    sentence_pause: float = 0.25
    """Seconds of silence between sentences."""
    clause_pause: float = 0.08
    """Seconds of silence where a sentence is cut at a comma or the like; none where at a word."""
    fade: float = 0.006
    """Seconds in which each piece of speech fades in and out, so that nothing clicks."""
    flush_after: float = 0.4
    """Seconds without new text after which what a stream holds is spoken as far as words are whole."""
    ahead: float = 30.0
    """Seconds of audio that are made before a slow client has taken them."""
    cache_entries: int = 256
    """Pieces of speech that are kept to be said again; 0 keeps none."""
    cache_bytes: int = 8 * 1024 * 1024
    """Bytes of audio that are kept."""
    cache_length: int = 100
    """Letters up to which a piece is worth keeping."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense: `ValueError`."""
        for name, least in {"first_length": 10, "max_length": 20}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least:g}")
        for option in fields(self):
            if getattr(self, option.name) < 0:
                raise ValueError(f"{option.name} must not be negative")

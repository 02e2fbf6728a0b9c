"""What a peer may send and how long it may take."""

from __future__ import annotations

from dataclasses import asdict, dataclass

KIB = 1024
MIB = 1024 * KIB

IMAGE_EVENTS = frozenset({"analyze-image", "frame", "chat"})
"""Events whose payload may hold images."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one connection and of the server; sizes in bytes, times in seconds."""

    header: int = 64 * KIB
    data: int = MIB
    payload: int = MIB
    image: int = 16 * MIB
    connections: int = 256
    inbox: int = 4 * MIB
    """Bytes of one request that may wait for its worker; beyond it the client is made to wait."""
    pending: int = 16
    """Requests of one connection that may wait for their turn."""
    streams: int = 64
    """Streams of one connection that may run beside its requests, such as watches."""
    frame: float = 15.0
    """For a frame that was begun, to arrive or to be taken by the peer."""
    idle: float = 600.0
    """Without any frame."""

    def __post_init__(self) -> None:
        if wrong := [name for name, value in asdict(self).items() if value < 0]:
            raise ValueError(f"{wrong[0]} must not be negative")

    def payload_of(self, event_type: str) -> int:
        """Return the largest payload of an event type."""
        return self.image if event_type in IMAGE_EVENTS else self.payload

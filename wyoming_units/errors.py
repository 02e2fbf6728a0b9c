"""The one exception tree; each class carries the code that a client sees."""

from __future__ import annotations

from typing import ClassVar


class UnitError(Exception):
    """A failure that is told to the client in one `error` event."""

    code: ClassVar[str] = "engine-failed"


class EngineFailed(UnitError):
    """The engine broke on input that it should have handled."""


class BadFrame(UnitError):
    """Bytes that are no Wyoming frame."""

    code = "bad-frame"


class TooLarge(UnitError):
    """A frame, text or utterance over its limit."""

    code = "too-large"


class TimedOut(UnitError):
    """The peer did not answer, or did not finish what it began, in time."""

    code = "timeout"


class Unauthorized(UnitError):
    """The node asks for a token that was missing or wrong."""

    code = "unauthorized"


class Busy(UnitError):
    """The queue in front of an engine is full."""

    code = "busy"


class Loading(UnitError):
    """The engine is still loading its model."""

    code = "loading"


class UnknownModel(UnitError):
    """No model or program of that name or language."""

    code = "unknown-model"


class UnknownVoice(UnitError):
    """No voice of that name or language."""

    code = "unknown-voice"


class UnknownWakeWord(UnitError):
    """No wake word of that name."""

    code = "unknown-wake-word"


class Unsupported(UnitError):
    """A request that this node or machine cannot serve."""

    code = "unsupported"


class BadAudio(UnitError):
    """Audio in a format or order that cannot be used."""

    code = "bad-audio"


class BadImage(UnitError):
    """Bytes that are no picture, or one that is cut off or too large."""

    code = "bad-image"


class BadRequest(UnitError):
    """A well-formed frame whose content makes no sense."""

    code = "bad-request"


class Cancelled(UnitError):
    """The client, or a newer request of the same client, ended this one."""

    code = "cancelled"


_CLASSES: list[type[UnitError]] = UnitError.__subclasses__()
_BY_CODE = {cls.code: cls for cls in _CLASSES}


def from_code(code: str | None, text: str) -> UnitError:
    """Return the exception for an `error` event; an unknown code gives `UnitError`."""
    return _BY_CODE.get(code or "", UnitError)(text)

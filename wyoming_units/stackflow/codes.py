"""What a module's error codes mean."""

from __future__ import annotations

from wyoming_units.errors import Busy, EngineFailed, UnitError
from wyoming_units.stackflow.framing import Reply

RESET = -1
UNREADABLE = -2
UNKNOWN_ACTION = -3
FULL = -21

GARBLED = frozenset({RESET, UNREADABLE})
"""The module could not read a request; it does not say which."""
GONE = frozenset({-4, -6, -9})
"""The task, or the service that ran it, is not there."""

_MEANINGS = {
    RESET: "lost count of the braces that it was sent",
    UNREADABLE: "could not read the request",
    UNKNOWN_ACTION: "has a firmware that does not know this request",
    -4: "no longer has the task",
    -5: "cannot load {model}: it is not installed there, or a setting is missing",
    -6: "no longer has the task",
    -7: "does not know this operation",
    -8: "has no room for {model}",
    -9: "does not run the service of {unit}: install llm-{package} on it",
    -10: "cannot start {model} at the moment",
    -11: "failed while {model} ran",
    -12: "has not made {model} ready",
    -13: "is at work already",
    -14: "is not at work",
    -17: "cannot open a file of {model}",
    -18: "does not know this action of {unit}",
    -20: "cannot link {unit} to what it was told",
    FULL: "has no task of {unit} left",
    -22: "cannot read its configuration of {model}, or the settings sent",
    -23: "could not decode the base64 that it was sent",
    -24: "found nothing in the request",
    -25: "missed a piece of the request",
}


class Lost(EngineFailed):
    """The module, its service or the task is not there, which may have passed in a moment."""


def explain(reply: Reply, unit: str, model: str) -> UnitError:
    """Return the error for a reply whose code is not 0."""
    meaning = _MEANINGS.get(reply.code, "failed")
    told = meaning.format(unit=unit, package=unit.replace("_", "-"), model=model or unit)
    kind: type[UnitError] = EngineFailed
    if reply.code in GONE | GARBLED:
        kind = Lost
    elif reply.code == FULL:
        kind = Busy
    message = f", {reply.message}" if reply.message else ""
    return kind(f"the module {told} (StackFlow error {reply.code}{message})")

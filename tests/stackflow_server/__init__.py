"""A stand-in for a StackFlow module (M5Stack AX630C), written from the description of its protocol."""

from .minds import Minds, Seen, hear_tones, speak_tones
from .server import StackFlowServer, running

__all__ = ["Minds", "Seen", "StackFlowServer", "hear_tones", "running", "speak_tones"]

"""A typed binding to libespeak-ng as the wheel `espeakng-loader` ships it (no system package).

The library keeps its state in globals: it is initialised once per process, and one lock serves all
callers. Functions, constants and embedded commands are those of espeak-ng's `speak_lib.h`.
"""

from __future__ import annotations

import ctypes
import re
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from wyoming_units.engines.espeak_voices import Voice, data_path, find_voice
from wyoming_units.errors import EngineFailed

RATE = 22_050
"""Sample rate of every voice, in Hz."""

OnSamples = Callable[[NDArray[np.int16]], bool]
"""Takes samples as they are made, shape (n,); False ends the synthesis."""

_SYNCHRONOUS = 2  # callbacks run in the calling thread, no audio device is opened
_DONT_EXIT = 0x8000  # else a missing data folder ends the process
_PIECE_MS = 60
_UTF8 = 1
_END_PAUSE = 0x1000
_RATE_PARAMETER = 1
_IPA = 2

_MAX_DATA_PATH = 120
"""The library keeps this path, with file names added, in 160 bytes and cuts off what is longer."""

_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)
# Control characters are embedded commands that change the voice; NUL would end the text.
_CONTROL = dict.fromkeys((*range(0x20), 0x7F), " ")
_LANGUAGE_SWITCH = re.compile(r"\([a-z]{2,3}(?:-[a-z0-9-]+)?\)")

_lock = threading.Lock()


def speak(text: str, voice: Voice, on_samples: OnSamples, *, words_per_minute: int) -> None:
    """Speak plain text, no SSML, at `RATE`; blocks other callers until it is done."""
    failures: list[BaseException] = []

    def receive(samples: Any, count: int, _events: int | None) -> int:
        if not samples or count <= 0:
            return 0
        try:
            wanted = on_samples(np.frombuffer(ctypes.string_at(samples, 2 * count), np.int16))
        except BaseException as error:  # noqa: BLE001 - ctypes would print and lose it
            failures.append(error)
            return 1
        return 0 if wanted else 1

    callback = _CALLBACK(receive)
    data = _encode(text)
    with _lock:
        library = _use(voice)
        library.espeak_SetParameter(_RATE_PARAMETER, words_per_minute, 0)
        library.espeak_SetSynthCallback(callback)
        status = library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8 | _END_PAUSE, None, None)
    if failures:
        raise failures[0]
    if status:
        raise EngineFailed(f"eSpeak NG could not speak: status {status}")


def phonemes(text: str, language: str) -> str:
    """Return the pronunciation in IPA, words apart by spaces; may raise `UnknownVoice`."""
    voice = find_voice(None, language)
    buffer = ctypes.create_string_buffer(_encode(text))
    rest = ctypes.c_void_p(ctypes.addressof(buffer))
    clauses: list[str] = []
    with _lock:
        library = _use(voice)
        while rest.value:  # the library takes one clause at a time and moves the pointer
            clause = library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA)
            clauses.append((clause or b"").decode("utf-8", errors="replace"))
    return " ".join(_LANGUAGE_SWITCH.sub("", " ".join(clauses)).split())


def _encode(text: str) -> bytes:
    return text.translate(_CONTROL).encode("utf-8", errors="ignore")


def _use(voice: Voice) -> ctypes.CDLL:
    library = _library()
    if library.espeak_SetVoiceByName(voice.identifier.encode()):
        raise EngineFailed(f"eSpeak NG could not load its voice {voice.name}")
    return library


@cache
def _library() -> ctypes.CDLL:
    """Load and initialise the library; the caller holds the lock."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    library.espeak_TextToPhonemes.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    rate = library.espeak_Initialize(
        _SYNCHRONOUS, _PIECE_MS, _short_data_path().encode(), _DONT_EXIT
    )
    if rate != RATE:
        raise EngineFailed(f"eSpeak NG did not start with the data in {data_path()}")
    return library


def _short_data_path() -> str:
    """Return the data folder, through a link where its own path is too long for the library."""
    path = data_path()
    if len(str(path).encode()) <= _MAX_DATA_PATH:
        return str(path)
    link = Path(_link_folder().name) / "espeak-ng-data"
    link.symlink_to(path)
    return str(link)


@cache
def _link_folder() -> tempfile.TemporaryDirectory[str]:
    # Kept by the cache: the library reads dictionaries through the link until the process ends.
    return tempfile.TemporaryDirectory(prefix="espeak-")

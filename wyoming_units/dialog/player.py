"""Playing audio on this machine."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from wyoming_units.dialog.wav import Wav, write_wav
from wyoming_units.errors import Unsupported

_PLAYERS = (
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("afplay",),
)


async def play(wav: Wav) -> None:
    """Play audio with the first player that is installed; `Unsupported` where there is none."""
    player = next((command for command in _PLAYERS if shutil.which(command[0])), None)
    if player is None:
        names = ", ".join(command[0] for command in _PLAYERS)
        raise Unsupported(f"no audio player here ({names}); use --out FILE")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        await asyncio.to_thread(write_wav, path, wav)
        process = await asyncio.create_subprocess_exec(*player, str(path))
        if await process.wait():
            raise Unsupported(f"{player[0]} cannot play here; use --out FILE")

"""`wyoming-units`: serve units, and talk to them."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from enum import Enum
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from wyoming.audio import AudioChunk

from wyoming_units import __version__
from wyoming_units.ask_command import ask
from wyoming_units.command import (
    AsJson,
    HomeFile,
    Language,
    Uri,
    client_of,
    home_of,
    line,
    ms,
    summary,
)
from wyoming_units.config import load_config
from wyoming_units.dialog.player import play
from wyoming_units.dialog.stages import Saying, synthesize, transcribe
from wyoming_units.dialog.wav import Wav, read_wav, wavs_in, write_wav
from wyoming_units.doctor import examine
from wyoming_units.errors import BadRequest, UnitError
from wyoming_units.models_command import models
from wyoming_units.node import Node
from wyoming_units.observe.watchdog import watched
from wyoming_units.see_command import see

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(models, name="models")
app.command()(ask)
app.command()(see)
_OUT = Console()
_ERR = Console(stderr=True)


class LogLevel(str, Enum):
    """Levels of the log, by their names on the command line."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


ConfigFile = Annotated[Path | None, typer.Option(help="Settings file, node.yaml.")]


def main() -> None:
    """Run the command line: exit 0 done, 1 failed, 2 wrong use."""
    # Else a node for one call would print its warnings beside the one line of the error.
    logging.getLogger("wyoming_units").addHandler(logging.NullHandler())
    try:
        app()
    except BadRequest as err:
        _fail(err, 2)
    except UnitError as err:
        _fail(err, 1)
    except KeyboardInterrupt:
        sys.exit(130)


@app.command()
def serve(
    config: ConfigFile = None,
    name: Annotated[str | None, typer.Option(help="Name shown in Home Assistant.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the node keeps its id.")] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="embedded, cpu, cuda, ax630c, stackflow: what to run by default."),
    ] = None,
    stackflow: Annotated[
        str | None, typer.Option(help="A module that runs StackFlow: HOST[:PORT] or serial:DEVICE.")
    ] = None,
    unit: Annotated[
        list[str] | None,
        typer.Option(help="KIND[=ENGINE[:MODEL]], MODEL a name or a path; repeatable."),
    ] = None,
    advertise: Annotated[
        list[str] | None, typer.Option(help="units, wyoming; repeatable. 'none' is silent.")
    ] = None,
    home: HomeFile = None,
    log_level: Annotated[LogLevel, typer.Option(help="What to log.")] = LogLevel.INFO,
) -> None:
    """Serve units until Ctrl-C or SIGTERM."""
    _log(log_level.name)
    settings = load_config(
        config,
        name=name,
        host=host,
        port=port,
        data_dir=data_dir,
        profile=profile,
        stackflow=stackflow,
        units=unit or None,
        advertise=[] if advertise == ["none"] else advertise or None,
        home=home,
    )
    asyncio.run(_serve(Node(settings)))


def _log(level: str) -> None:
    """Log to stderr, in colour for a person and one plain line per record for everything else."""
    if sys.stderr.isatty():
        handler: logging.Handler = RichHandler(console=_ERR, show_path=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


async def _serve(node: Node) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with node, watched():
        _OUT.print(f"{node.config.name} is at tcp://{node.config.host}:{node.port}", soft_wrap=True)
        await stop.wait()


@app.command()
def say(
    text: str,
    uri: Uri = None,
    voice: Annotated[str | None, typer.Option(help="Name of a voice.")] = None,
    speaker: Annotated[str | None, typer.Option(help="One of the voice's speakers.")] = None,
    speed: Annotated[float, typer.Option(help="How many times faster, 0.5 to 2.")] = 1.0,
    ssml: Annotated[bool, typer.Option("--ssml", help="TEXT is SSML.")] = False,
    language: Language = None,
    out: Annotated[Path | None, typer.Option(help="WAV file to write; default: play it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Speak TEXT."""

    async def run() -> None:
        async with client_of(uri) as client:
            began = perf_counter()
            first = began
            chunks: list[AudioChunk] = []
            wanted = Saying(
                text, voice=voice, speaker=speaker, speed=speed, language=language, ssml=ssml
            )
            async for chunk in synthesize(client, wanted):
                first = first if chunks else perf_counter()
                chunks.append(chunk)
            done = perf_counter()
        if not chunks:
            raise BadRequest("the text has nothing that can be spoken")
        audio = b"".join(chunk.audio for chunk in chunks)
        head = chunks[0]
        wav = Wav(rate=head.rate, width=head.width, channels=head.channels, audio=audio)
        if as_json:
            timings = {"first_chunk": ms(first - began), "total": ms(done - began)}
            summary(audio_seconds=round(wav.seconds, 3), timings_ms=timings)
        if out is not None:
            write_wav(out, wav)
        elif not as_json:
            await play(wav)

    asyncio.run(run())


@app.command()
def hear(
    files: Annotated[list[Path], typer.Argument(help="WAV files, or folders of them.")],
    uri: Uri = None,
    model: Annotated[str | None, typer.Option(help="Name of a model.")] = None,
    language: Language = None,
    home: HomeFile = None,
    as_json: AsJson = False,
) -> None:
    """Print what is said in FILES."""
    recordings = [path for given in files for path in wavs_in(given)]

    async def run() -> None:
        known = home_of(home)
        seconds, spent = 0.0, 0.0
        async with client_of(uri) as client:
            for path in recordings:
                wav = await asyncio.to_thread(read_wav, path)
                began = perf_counter()
                heard = await transcribe(client, wav, model=model, language=language, home=known)
                seconds += wav.seconds
                spent += perf_counter() - began
                if as_json:
                    line("transcript", file=str(path), text=heard.text, timings_ms=heard.timing)
                else:
                    _OUT.print(heard.text, markup=False, highlight=False)
        if as_json:
            rtf = round(spent / seconds, 4) if seconds else None
            timings = {"total": ms(spent)}
            summary(
                files=len(recordings), audio_seconds=round(seconds, 3), rtf=rtf, timings_ms=timings
            )

    asyncio.run(run())


@app.command()
def doctor(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Look at what this machine can run and what is on the network."""
    findings = asyncio.run(examine(config))
    for finding in findings:
        if as_json:
            line("finding", ok=finding.ok, what=finding.what, detail=finding.detail)
        else:
            mark = "[green]ok  [/]" if finding.ok else "[red]fail[/]"
            _OUT.print(mark, f"[bold]{finding.what}[/]", escape(finding.detail), soft_wrap=True)
    failed = sum(not finding.ok for finding in findings)
    if as_json:
        summary(findings=len(findings), failed=failed, timings_ms={})
    raise typer.Exit(1 if failed else 0)


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Local voice AI for Home Assistant, spoken over the Wyoming protocol."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


def _fail(error: UnitError, code: int) -> None:
    _ERR.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)

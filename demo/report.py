"""What the reader sees: steps with their seconds, then the turn as a timeline."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from demo.processes import DemoError
from demo.speech import END_OF_SPEECH
from demo.turn import Turn

_BAR = 16
_WIDTH = 110
"""Of lines that do not go to a terminal."""


class Step:
    """A step in progress; what it found is told at its end."""

    def __init__(self, text: str) -> None:
        self.text = text


class Report:
    """Writes to the terminal, or plain lines to anything else."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console.width = _WIDTH

    def fail(self, text: str) -> None:
        """Write one line to standard error; `text` is plain."""
        Console(stderr=True, highlight=False).print(
            f"script/run: {text}", markup=False, soft_wrap=True
        )

    async def tried[Result](self, work: Awaitable[Result]) -> Result | None:
        """Return what comes of `work`; None where it fails, which is told."""
        try:
            return await work
        except DemoError as err:
            self.fail(str(err))
            return None

    def say(self, text: str = "") -> None:
        """Write a line; rich markup is read."""
        self._console.print(text)

    @contextmanager
    def step(self, text: str) -> Iterator[Step]:
        """Show `text` with the elapsed seconds while inside, then the step's text with all of them."""
        step = Step(text)
        began = perf_counter()
        with self._progress(text):
            yield step
        seconds = f"{perf_counter() - began:.1f} s"
        self._console.print(f"[green]✓[/] {escape(step.text)} [dim]({seconds})[/]", soft_wrap=True)

    @contextmanager
    def _progress(self, text: str) -> Iterator[None]:
        if not self._console.is_terminal:
            self._console.print(f"  {text} …", soft_wrap=True, markup=False)
            yield
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description} …", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            progress.add_task(text)
            yield

    def timeline(self, turn: Turn) -> None:
        """Show a turn: what happened when, counted from the end of speech."""
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for header in ("after speech", "stage"):
            table.add_column(header, justify="right", no_wrap=True)
        for header in ("", "moment"):
            table.add_column(header, no_wrap=True)
        table.add_column("")
        longest = max(*turn.timings_ms.values(), 1.0)
        before = 0.0
        for name, moment in turn.timings_ms.items():
            start, end = (round(max(0.0, ms) / longest * _BAR) for ms in (before, moment))
            bar = Text(" " * min(start, _BAR - 1) + "━" * max(end - start, 1), style="cyan")
            stage = f"+{moment - before:.0f} ms"
            table.add_row(f"{moment:.0f} ms", stage, bar, *_describe(name, turn))
            before = moment
        self._console.print()
        self._console.print(table)
        self._console.print(f"[dim]Speech ends with the {END_OF_SPEECH}.[/]", soft_wrap=True)
        if not turn.done:
            self._console.print("[yellow]Nothing in the home changed.[/]")
        self._console.print()


def _describe(moment: str, turn: Turn) -> tuple[str, str]:
    """Return the name of a moment and what it brought."""
    return {
        "end_of_turn": ("end of turn", "the unit knows it"),
        "transcript": ("transcript", f"“{escape(turn.transcript)}”"),
        "state": ("state", f"{turn.entity}: {turn.state_before} → [bold]{turn.state_after}[/]"),
        "intent": ("intent", turn.intent),
        "reply": ("reply", f"“{escape(turn.reply)}”"),
        "first_audio": ("first audio", "of the reply"),
        "last_audio": (
            "last audio",
            f"{turn.audio_seconds:.2f} s of {'chime' if turn.chime else 'speech'}",
        ),
    }[moment]

"""The real llama.cpp, which `script/llama` builds: its server as a process, and its Python bindings in this process.

Neither is in .venv, for it takes minutes to compile. Tests that use them are `extra`; the first one builds what is
missing, and all are skipped, with the reason, where that is not possible.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_BUILT = _ROOT / ".cache" / "llama"
_CANNOT = 4
"""With which the script exits where llama.cpp cannot be built."""


class CannotBuild(Exception):
    """What is missing here to build llama.cpp."""


def build() -> Path:
    """Return the folder with `bin` and `site`, after minutes where nothing was built yet."""
    made = subprocess.run(
        [str(_ROOT / "script" / "llama")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if made.returncode == _CANNOT:
        raise CannotBuild(made.stderr.strip().splitlines()[-1])
    assert made.returncode == 0, made.stderr
    return _BUILT


@pytest.fixture(scope="session")
def llama() -> Path:
    """Give the folder of the built llama.cpp."""
    try:
        return build()
    except CannotBuild as err:
        pytest.skip(str(err))


@contextmanager
def bindings(built: Path) -> Iterator[None]:
    """Make llama-cpp-python importable for a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(built / "site")
        patch.setenv("LLAMA_CPP_LIB_PATH", str(built / "bin"))
        patch.setenv("MTMD_CPP_LIB", str(built / "bin"))
        try:
            yield
        finally:  # other tests are to find it missing
            for name in [name for name in sys.modules if name.partition(".")[0] == "llama_cpp"]:
                del sys.modules[name]


@asynccontextmanager
async def llama_server(built: Path, model: Path, *arguments: str) -> AsyncIterator[str]:
    """Run llama-server with a model and give its address, once it answers."""
    process = await asyncio.create_subprocess_exec(
        *(str(built / "bin" / "llama-server"), "--model", str(model), "--offline"),
        *("--host", "127.0.0.1", "--port", "0", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout
    try:
        said = ""
        while not (found := re.search(r"listening on (http://\S+)", said)):
            line = (await process.stdout.readline()).decode(errors="replace")
            assert line, f"llama-server ended:\n{said}"
            said += line
        drain = asyncio.create_task(_drain(process.stdout))
        yield found[1]
        drain.cancel()
    finally:
        process.terminate()
        await process.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    """Keep a full pipe from holding the server up."""
    while await stream.read(65536):
        pass

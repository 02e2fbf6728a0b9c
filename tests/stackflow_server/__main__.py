"""`python -m tests.stackflow_server`: a module to try things with, where there is none."""

from __future__ import annotations

import argparse
import asyncio

from .minds import Minds
from .protocol import RELEASES
from .server import StackFlowServer


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.stackflow_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=10001)
    parser.add_argument("--version", choices=RELEASES, default="1.6")
    parser.add_argument("--embedded", action="store_true", help="real speech and pictures")
    parser.add_argument("--serial", action="store_true", help="a pseudo terminal as well")
    return parser.parse_args()


async def _serve(options: argparse.Namespace, minds: Minds) -> None:
    server = StackFlowServer(
        version=options.version,
        minds=minds,
        host=options.host,
        port=options.port,
        serial=options.serial,
    )
    async with server:
        where = f", {server.device}" if server.device else ""
        print(f"StackFlow {options.version} on {server.host}:{server.port}{where}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted."""
    options = _options()
    minds = Minds()
    if options.embedded:
        from .embedded import embedded_minds

        minds = embedded_minds()
    try:
        asyncio.run(_serve(options, minds))
    except KeyboardInterrupt:
        print("done")


if __name__ == "__main__":
    main()

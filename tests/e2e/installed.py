"""A machine on which script/install-node has installed a node that runs as a service."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.roots import Root, clean_root, free_port
from wyoming_units.wire.health import ask

SUITE = "jammy"
_SYSTEMCTL = """#!/bin/bash
# systemd's part, for one service: runs what the unit says, as whom it says, in its environment.
unit=/etc/systemd/system/wyoming-units.service
of() { sed -n "s/^$1=//p" "$unit"; }
echo "$*" >>/run/systemctl.log
case $1 in
restart | stop | disable)
  if [[ -f /run/node.pid ]]; then
    kill "$(</run/node.pid)" 2>/dev/null
    for _ in {1..100}; do kill -0 "$(</run/node.pid)" 2>/dev/null || break; sleep 0.1; done
    rm -f /run/node.pid
  fi
  ;;
esac
if [[ $1 == restart ]]; then
  user=$(of User)
  install -d -o "$user" -g "$user" -m 0750 "/var/lib/$(of StateDirectory)"
  env -i PATH="$PATH" $(of Environment) setsid setpriv --reuid "$user" --regid "$user" --init-groups --no-new-privs \\
    $(of ExecStart) </dev/null >>/var/log/node.log 2>&1 &
  echo $! >/run/node.pid
fi
"""


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A system with a node that runs as a service."""

    root: Root
    port: int

    @property
    def uri(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def version(self) -> str:
        return str((self.root.path / "opt/wyoming-units/current").readlink())

    def install(self, *options: str, check: bool = True, seconds: int = 120) -> str:
        """Run the installer."""
        done = self.root.run(
            "/source/script/install-node",
            *options,
            check=check,
            environment={"WYOMING_UNITS_ANSWER_SECONDS": str(seconds)},
        )
        assert done.returncode == (0 if check else 1), done.stdout
        return done.stdout

    def info(self, wait: float = 0.0) -> dict[str, Any]:
        """Ask the node from outside."""
        return asyncio.run(ask(self.uri, wait=wait))


@contextmanager
def installed_node(folder: Path, *options: str, suite: str = SUITE) -> Iterator[Installed]:
    """A clean system on which a node was installed and runs; it announces itself by zeroconf as any node."""
    with clean_root(folder, suite) as root:
        root.copy_checkout("/source")
        systemctl = root.path / "usr/local/bin/systemctl"
        systemctl.write_text(_SYSTEMCTL)
        systemctl.chmod(0o755)
        (root.path / "run/systemd/system").mkdir(parents=True)
        settings = root.path / "etc/wyoming-units/node.yaml"
        settings.parent.mkdir()
        port = free_port()
        settings.write_text(f"data_dir: /var/lib/wyoming-units\nport: {port}\n")
        node = Installed(root=root, port=port)
        node.install(*options)
        yield node

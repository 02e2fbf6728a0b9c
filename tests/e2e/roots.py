"""Clean machines to install on: roots made by debootstrap, entered with chroot.

All mounts and processes of a root live in namespaces of its own and end with it. Nothing of this machine is mounted
in it, least of all /dev: deleting a root must never be able to delete anything else.
"""

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPTS = Path("/usr/share/debootstrap/scripts")
_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}
_MOUNTS = """
set -e
mount -t proc proc "$0/proc"
mkdir -p "$0/dev/shm" && mount -t tmpfs tmpfs "$0/dev/shm"
{more}
echo ready
exec cat >/dev/null
"""
READ_ONLY = """
mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"
mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/dev/shm" && mount -t tmpfs tmpfs "$0/tmp"
mount -t tmpfs -o mode=0750,uid=10600,gid=10600 tmpfs "$0/data"
"""
"""As a container with `read_only`, a tmpfs and a volume."""


def why_not() -> str:
    """Return what keeps roots from being made here, "" where they can be."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [
        tool
        for tool in ("debootstrap", "unshare", "nsenter", "chroot")
        if shutil.which(tool) is None
    ]
    return f"needs {', '.join(missing)}" if missing else ""


def _mirror(suite: str) -> str:
    """Return where a suite comes from: this machine's own mirror, else what debootstrap itself names."""
    release = dict(
        re.findall(r'^(\w+)="?([^"\n]*)', Path("/etc/os-release").read_text("utf-8"), re.MULTILINE)
    )
    scripts = {
        name: (SCRIPTS / name).resolve().name for name in (suite, release["VERSION_CODENAME"])
    }
    if len(set(scripts.values())) == 1:  # of the same distribution
        listed = subprocess.run(
            ["apt-get", "update", "--print-uris"], capture_output=True, text=True, check=True
        ).stdout
        found = re.search(rf"'(\S+)/dists/{release['VERSION_CODENAME']}/", listed)
        assert found, "apt has no source for its own release"
        return found[1]
    known: list[str] = re.findall(r"default_mirror (\S+)", (SCRIPTS / suite).read_text("utf-8"))
    other = platform.machine() not in {"x86_64", "i686"}
    return next(at for at in known if "old-" not in at and ("ports" in at) == other)


def bootstrap(folder: Path, suite: str) -> None:
    """Make a minimal system."""
    command = ["debootstrap", "--variant=minbase", "--include=ca-certificates"]
    if suite == "jammy":
        command.append("--components=main,universe")
    done = subprocess.run(
        [*command, suite, str(folder), _mirror(suite)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    hand_over_network(folder)


def hand_over_network(folder: Path) -> None:
    """Give a root this machine's names, certificates and package settings."""
    for name in ("/etc/resolv.conf", "/etc/hosts"):
        shutil.copy(name, folder / name[1:])
    given = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    if given:
        shutil.copy(given, folder / "etc/ssl/certs/ca-certificates.crt")
    for name, (major, minor) in _DEVICES.items():
        node = folder / "dev" / name
        if not node.is_char_device():
            os.mknod(node, 0o020666, os.makedev(major, minor))
            node.chmod(0o666)


def _package_settings() -> dict[str, str]:
    """Return what pip is told here about the network, without what lies on this machine's disk."""
    listed = subprocess.run(
        ["python3", "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    found = {
        name.rpartition(".")[2]: value
        for name, value in re.findall(r"^(\S+)='(.*)'$", listed, re.MULTILINE)
    }
    settings = {
        f"PIP_{key.upper().replace('-', '_')}": found[key]
        for key in ("index-url", "trusted-host", "default-timeout")
        if key in found
    }
    proxies = {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    return settings | proxies | {"PIP_CERT": certificates, "SSL_CERT_FILE": certificates}


class Root:
    """A system that runs: `with Root(folder) as root`."""

    def __init__(self, folder: Path, *, mounts: str = "") -> None:
        self.path = folder
        self._mounts = mounts
        self._environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            **_package_settings(),
        }

    def __enter__(self) -> Root:
        command = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork"]
        self._holder = subprocess.Popen(
            [
                *command,
                "--kill-child",
                "sh",
                "-c",
                _MOUNTS.format(more=self._mounts),
                str(self.path),
            ],
            stdin=subprocess.PIPE,  # its end, also that of a test that was killed, is the end of the root
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        holder = self._holder.pid
        self._inside = Path(f"/proc/{holder}/task/{holder}/children").read_text().split()[0]
        return self

    def __exit__(self, *args: object) -> None:
        self._holder.kill()  # which ends all processes of the root, and with them its mounts
        self._holder.communicate()

    def command(self, *command: str, user: str = "", folder: str = "/") -> list[str]:
        """Return the command as this machine runs it."""
        enter = ["nsenter", "--target", self._inside, "--mount", "--pid"]
        who = [f"--userspec={user}"] if user else []
        inside = ["sh", "-c", 'cd "$0" && exec "$@"', folder, *command]
        return [*enter, "chroot", *who, str(self.path), *inside]

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return self._environment | dict(more)

    def run(
        self,
        *command: str,
        user: str = "",
        folder: str = "/",
        check: bool = True,
        timeout: float = 900,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        done = subprocess.run(
            self.command(*command, user=user, folder=folder),
            env=self.environment(environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command} failed:\n{done.stdout[-4000:]}"
        sys.stdout.write(done.stdout)
        return done

    def copy_checkout(self, where: str) -> None:
        """Copy what a release archive holds of this checkout."""
        target = self.path / where.lstrip("/")
        target.mkdir(parents=True)
        for name in ("LICENSE", "README.md", "pyproject.toml"):
            shutil.copy2(ROOT / name, target)
        for path in ROOT.glob("constraints*.txt"):
            shutil.copy2(path, target)
        for name in ("models", "script", "wyoming_units", "tests/stand_ins"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, target / name, ignore=ignored)


@contextmanager
def clean_root(folder: Path, suite: str) -> Iterator[Root]:
    """Make a system, run it, delete it."""
    try:
        bootstrap(folder, suite)
        with Root(folder) as root:
            yield root
    finally:
        delete(folder)


def delete(folder: Path) -> None:
    """Delete a root; refuses where anything is mounted below it."""
    mounted = Path("/proc/self/mounts").read_text("utf-8")
    assert str(folder) not in mounted, f"something is mounted in {folder}"
    subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

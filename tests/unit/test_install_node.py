"""The installer's decisions, with stand-ins for Python's installation, the clock and the package index."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "script/install-node"
_RELEASED = 1_790_000_000
"""When the checkout of these tests was made, in seconds since 1970: September 2026."""
_PYTHON = f"""#!/bin/sh
# Makes environments whose pip only notes what it is asked.
[ "$1" = -m ] && [ "$2" = venv ] || exec {sys.executable} "$@"
mkdir -p "$3/bin" "$3/lib/python3.13/site-packages/nvidia/cublas/lib"
cat >"$3/bin/pip" <<'PIP'
#!/bin/sh
echo "$*" >>"$STAND_INS/pip.log"
[ ! -e "$STAND_INS/broken" ]
PIP
cat >"$3/bin/wyoming-units" <<'CLI'
#!/bin/sh
echo 1.2.3
CLI
chmod +x "$3/bin/pip" "$3/bin/wyoming-units"
"""
_DATE = """#!/bin/sh
case "$1" in
+%s) echo "$NOW" ;;
-s) echo "$2" >"$STAND_INS/set" ;;
*) exec /bin/date "$@" ;;
esac
"""
_GIT = """#!/bin/sh
echo "$RELEASED"
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A folder that stands for a machine: `--root` is below it, and so is the prefix."""

    path: Path
    source: Path

    @property
    def prefix(self) -> Path:
        return self.path / "opt"

    @property
    def root(self) -> Path:
        return self.path / "root"

    @property
    def settings(self) -> Path:
        return self.root / "etc/wyoming-units/node.yaml"

    @property
    def unit(self) -> dict[str, list[str]]:
        """What the unit says, by key."""
        found: dict[str, list[str]] = {}
        path = self.root / "etc/systemd/system/wyoming-units.service"
        for line in path.read_text("utf-8").splitlines():
            key, given, value = line.partition("=")
            if given and not line.startswith("#"):
                found.setdefault(key, []).append(value)
        return found

    @property
    def pip(self) -> list[str]:
        """What was installed."""
        log = self.path / "pip.log"
        return log.read_text("utf-8").splitlines() if log.exists() else []

    def install(self, *arguments: str, now: int = _RELEASED + 1, status: int = 0) -> str:
        """Run the installer; return what it says."""
        done = subprocess.run(
            [
                SCRIPT,
                "--root",
                self.root,
                "--prefix",
                self.prefix,
                "--from",
                self.source,
                *arguments,
            ],
            env={
                "PATH": f"{self.path / 'bin'}:{os.environ['PATH']}",
                "STAND_INS": str(self.path),
                "NOW": str(now),
                "RELEASED": str(_RELEASED),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "bin").mkdir()
    for name, text in {"python3": _PYTHON, "date": _DATE, "git": _GIT}.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    source = tmp_path / "source"
    (source / "wyoming_units").mkdir(parents=True)
    (source / "models").mkdir()
    for name in (
        "pyproject.toml",
        "constraints.txt",
        "constraints-python-3.10.txt",
        "wyoming_units/node.py",
    ):
        (source / name).write_text("# a source\n")
    return Machine(path=tmp_path, source=source)


def test_a_node_is_installed_with_what_its_profile_needs_in_the_versions_that_were_tested(
    machine: Machine,
) -> None:
    told = machine.install("--profile", "ax630c")
    pinned = "constraints.txt" if sys.version_info >= (3, 13) else "constraints-python-3.10.txt"
    install = machine.pip[-1]
    assert f"{machine.source}[embedded,llm,models,npu]" in install
    assert f"--constraint {machine.source / pinned}" in install
    assert "ready: wyoming-units 1.2.3" in told
    assert "axengine is missing" in told
    assert yaml.safe_load(machine.settings.read_text("utf-8")) == {
        "data_dir": "/var/lib/wyoming-units",
        "profile": "ax630c",
    }
    assert machine.settings.stat().st_mode & 0o777 == 0o640


def test_the_service_tells_systemd_that_it_lives_and_may_write_to_its_own_folder_only(
    machine: Machine,
) -> None:
    machine.install("--profile", "cpu")
    unit = machine.unit
    assert unit["ExecStart"] == [
        f"{machine.prefix}/current/bin/wyoming-units serve --config /etc/wyoming-units/node.yaml"
    ]
    assert unit["Type"] == ["notify"]
    assert int(unit["WatchdogSec"][0]) >= 30
    assert unit["User"] == ["wyoming-units"]
    assert unit["After"] == unit["Wants"] == ["network-online.target"]
    assert unit["StateDirectory"] == ["wyoming-units"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["CapabilityBoundingSet"] == [""]
    assert unit["PrivateDevices"] == ["yes"]
    assert "MemoryMax" in unit


@pytest.mark.parametrize("profile", ["embedded", "cpu", "cuda", "ax630c", "stackflow"])
def test_systemd_understands_the_unit(machine: Machine, profile: str) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    machine.install("--profile", profile)
    unit = machine.root / "etc/systemd/system/wyoming-units.service"
    # All that it finds but what it cannot look up where no systemd runs.
    verified = subprocess.run(
        [analyze, "verify", unit], capture_output=True, text=True, check=False
    )
    assert "wyoming-units.service:" not in verified.stderr, verified.stderr
    secure = [analyze, "security", "--offline=yes", "--threshold=40", unit]
    assert subprocess.run(secure, capture_output=True, check=False).returncode == 0


def test_the_npus_libraries_and_device_files_are_in_reach_of_the_service(machine: Machine) -> None:
    machine.install("--profile", "ax630c")
    assert "LD_LIBRARY_PATH=/soc/lib" in machine.unit["Environment"]
    assert machine.unit["PrivateDevices"] == ["no"]
    assert "ProtectClock" not in machine.unit  # it would close all devices but its own
    rules = machine.root / "etc/udev/rules.d/70-wyoming-units.rules"
    assert rules.read_text() == 'KERNEL=="ax_*", GROUP="wyoming-units", MODE="0660"\n'
    machine.install("--profile", "cpu")
    assert not rules.exists()


def test_a_module_at_a_serial_line_is_in_reach_too(machine: Machine) -> None:
    machine.install("--stackflow", "serial:/dev/ttyUSB0@115200")
    assert (
        yaml.safe_load(machine.settings.read_text("utf-8"))["stackflow"]
        == "serial:/dev/ttyUSB0@115200"
    )
    assert yaml.safe_load(machine.settings.read_text("utf-8"))["profile"] == "stackflow"
    assert machine.unit["SupplementaryGroups"] == ["dialout"]


def test_a_gpu_gets_the_releases_for_its_cuda_and_finds_their_libraries(machine: Machine) -> None:
    machine.install("--profile", "cuda")
    dockerfile = (ROOT / "docker/Dockerfile").read_text("utf-8")
    wanted = "'onnxruntime-gpu[cuda,cudnn]<1.27' nvidia-cublas-cu12"
    assert f"pip install {wanted}" in dockerfile
    assert machine.pip[-2:] == ["uninstall -y onnxruntime", f"install {wanted}".replace("'", "")]
    libraries = (
        f"LD_LIBRARY_PATH={machine.prefix}/current/lib/python3.13/site-packages/nvidia/cublas/lib"
    )
    assert libraries in machine.unit["Environment"]


def test_what_a_person_has_written_into_the_settings_stays(machine: Machine) -> None:
    machine.install("--profile", "cpu")
    with machine.settings.open("a") as settings:
        settings.write("name: Kitchen\n")
    machine.install("--profile", "embedded")
    assert yaml.safe_load(machine.settings.read_text("utf-8")) == {
        "data_dir": "/var/lib/wyoming-units",
        "profile": "embedded",
        "name": "Kitchen",
    }


def test_the_same_source_is_installed_once(machine: Machine) -> None:
    machine.install("--profile", "embedded")
    before = machine.pip
    (machine.source / "wyoming_units/__pycache__").mkdir()
    (machine.source / "wyoming_units/__pycache__/node.pyc").write_text("compiled")
    assert "the environment is there already" in machine.install("upgrade")
    assert machine.pip == before


def test_an_upgrade_keeps_extras_and_the_version_before_and_no_more(machine: Machine) -> None:
    machine.install("--profile", "embedded", "--extras", "espeak,hassil")
    versions = []
    for number in range(3):
        (machine.source / "wyoming_units/node.py").write_text(f"# version {number}\n")
        machine.install("upgrade")
        versions.append((machine.prefix / "current").readlink())
    assert "[espeak,hassil]" in machine.pip[-1]
    assert {*(machine.prefix / "versions").iterdir()} == {*versions[1:]}


def test_packages_that_cannot_be_installed_change_nothing(machine: Machine) -> None:
    machine.install("--profile", "embedded")
    before = (machine.prefix / "current").readlink()
    (machine.source / "wyoming_units/node.py").write_text("# another\n")
    (machine.path / "broken").touch()
    told = machine.install("upgrade", status=1)
    assert "nothing was changed" in told
    assert (machine.prefix / "current").readlink() == before
    assert [*(machine.prefix / "versions").iterdir()] == [before]


def test_a_clock_before_the_release_is_told_and_does_not_stop_the_installation(
    machine: Machine,
) -> None:
    told = machine.install("--profile", "embedded", now=1_672_531_200)
    assert "the clock says 2023-01-01" in told
    assert "--set-clock" in told
    assert not (machine.path / "set").exists()


def test_a_clock_is_set_to_the_release_where_that_is_asked_for(machine: Machine) -> None:
    told = machine.install("--profile", "embedded", "--set-clock", now=1_672_531_200)
    assert (machine.path / "set").read_text() == f"@{_RELEASED}\n"
    assert "it is now 2026-09-21" in told


def test_a_clock_that_is_right_is_left_alone(machine: Machine) -> None:
    told = machine.install("--profile", "embedded", "--set-clock")
    assert "the clock" not in told
    assert not (machine.path / "set").exists()


def test_removing_leaves_settings_and_models_unless_they_are_purged(machine: Machine) -> None:
    machine.install("--profile", "embedded")
    model = machine.root / "var/lib/wyoming-units/models/voice.onnx"
    model.parent.mkdir(parents=True)
    model.touch()
    (machine.prefix / "of-somebody-else").touch()
    machine.install("uninstall")
    assert [path.name for path in machine.prefix.iterdir()] == ["of-somebody-else"]
    assert not (machine.root / "etc/systemd/system/wyoming-units.service").exists()
    assert model.exists()
    assert machine.settings.exists()

    machine.install("--profile", "embedded")
    machine.install("uninstall", "--purge")
    assert not model.exists()
    assert not machine.settings.exists()
    assert (machine.prefix / "of-somebody-else").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--profile", "toaster"], 1, "no profile toaster"),
        (["--profile"], 2, "--profile NAME"),
        (["--fast"], 2, "--profile NAME"),
        (["upgrade"], 1, "to upgrade"),
        (["uninstall"], 1, "there is no node"),
        (["--axengine", "/nowhere.whl"], 1, "no such wheel"),
    ],
)
def test_wrong_use_is_told_and_changes_nothing(
    machine: Machine, arguments: list[str], status: int, told: str
) -> None:
    assert told in machine.install(*arguments, status=status)
    assert not machine.root.exists()
    assert not machine.prefix.exists()


def test_shellcheck_has_nothing_to_say() -> None:
    beside = str(Path(sys.executable).parent)
    found = shutil.which("shellcheck", path=beside) or shutil.which("shellcheck")
    if found is None:
        pytest.skip("no shellcheck here")
    done = subprocess.run([found, SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

"""script/install-node on Ubuntu 22.04, as on the module: a clean system, real packages, a node that answers."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installed import Installed, installed_node
from tests.e2e.roots import why_not

pytestmark = [
    pytest.mark.extra,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("system") / "root"
    with installed_node(folder, "--profile", "embedded") as node:
        yield node


def test_a_node_on_the_modules_own_ubuntu_answers_with_every_embedded_unit(node: Installed) -> None:
    info = node.info()
    assert (
        info["node"]["version"]
        in node.root.run("/opt/wyoming-units/current/bin/wyoming-units", "--version").stdout
    )
    assert all(info[kind] for kind in ("asr", "tts", "wake", "intent"))
    assert "Python 3.10" in node.root.run("python3", "-V").stdout


def test_the_node_is_nobody_and_cannot_change_what_it_runs(node: Installed) -> None:
    pid = (node.root.path / "run/node.pid").read_text().strip()
    status = node.root.run("cat", f"/proc/{pid}/status").stdout
    assert re.search(r"^Uid:\s+[1-9]", status, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    told = node.root.run(
        "su", "-s", "/bin/sh", "wyoming-units", "-c", "touch /opt/wyoming-units/x", check=False
    )
    assert told.returncode != 0


def test_installing_again_keeps_what_is_there(node: Installed) -> None:
    before, pip = node.version, node.install()
    assert "the environment is there already" in pip
    assert node.version == before
    assert node.info()["node"]["name"]


def test_an_upgrade_that_does_not_answer_is_taken_back(node: Installed) -> None:
    before = node.version
    broken = node.root.path / "broken"
    shutil.copytree(node.root.path / "source", broken)
    with (broken / "wyoming_units/node.py").open("a") as module:
        module.write(
            "\n\nasync def _fails(self: Node) -> None:\n    raise OSError('broken')\n\n\nNode.start = _fails\n"
        )
    told = node.install(
        "upgrade", "--from", "/broken", "--extras", "hassil", check=False, seconds=10
    )
    assert "the upgrade was taken back" in told
    assert node.version == before
    assert [path.name for path in (node.root.path / "opt/wyoming-units/versions").iterdir()] == [
        Path(before).name
    ]
    assert node.info(wait=20)["asr"]


def test_removing_keeps_models_and_settings_until_they_are_purged(node: Installed) -> None:
    node.install("uninstall")
    kept = [
        node.root.path / name
        for name in ("etc/wyoming-units/node.yaml", "var/lib/wyoming-units/node-id")
    ]
    assert all(path.is_file() for path in kept)
    assert not (node.root.path / "opt/wyoming-units").exists()
    assert not (node.root.path / "etc/systemd/system/wyoming-units.service").exists()

    node.install("--extras", "hassil")
    node.install("uninstall", "--purge")
    assert not any(path.exists() for path in kept)
    assert "wyoming-units" not in node.root.run("cat", "/etc/passwd").stdout

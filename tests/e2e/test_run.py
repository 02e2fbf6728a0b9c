"""`script/run` as a newcomer uses it: real processes, a real Home Assistant, nothing mocked."""

import json
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import ifaddr
import pytest

from tests.e2e.running import DATA, RUN, SECONDS, read_until, start

KITCHEN_LIGHTS = DATA / "media" / "home" / "en" / "generated" / "turn on the Kitchen lights.wav"

pytestmark = pytest.mark.timeout(SECONDS + 60)


def _run(environment: dict[str, str], *options: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `script/run --once` to its end."""
    return subprocess.run(
        [RUN, "--once", *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def _once(environment: dict[str, str], *options: str | Path) -> tuple[str, dict[str, Any]]:
    """Return all that a successful `script/run --once` wrote, and its RESULT."""
    done = _run(environment, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    keyword, _, result = done.stdout.splitlines()[-1].partition(" ")
    assert keyword == "RESULT"
    return done.stdout, json.loads(result)


def _has_network() -> bool:
    """Return whether there is more than loopback, which has no multicast."""
    addresses = (ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4)
    return not all(str(address).startswith("127.") for address in addresses)


def _check_turn(result: dict[str, Any]) -> None:
    assert result["intent"] == "HassTurnOn"
    assert (result["state_before"], result["state_after"]) == ("off", "on")
    assert "turned on" in result["reply"].lower()
    assert 0.3 < result["audio_seconds"] < 10
    timings = result["timings_ms"]
    assert 0 < timings["transcript"] < timings["intent"] <= timings["reply"]
    assert timings["reply"] < timings["first_audio"] <= timings["last_audio"]
    assert timings["transcript"] < timings["state"] < timings["first_audio"]


def test_a_sentence_of_the_tts_unit_switches_the_light_and_is_answered(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    no_photographs = {"WYOMING_UNITS_TEST_DATA": str(tmp_path_factory.mktemp("empty"))}
    written, result = _once(environment | no_photographs)
    assert result["transcript"].lower().removesuffix("s") == "turn on the kitchen light"
    _check_turn(result)
    # Found, not told: the integration's flow was started by the node's announcement.
    if _has_network():
        assert "Zeroconf found the node" in written
    assert "no pictures for a camera here: give some with --camera" in written
    assert result["camera"] is None


@pytest.mark.skipif(not KITCHEN_LIGHTS.exists(), reason=f"no recordings in {DATA}")
def test_a_recording_and_then_a_person_before_the_camera_switch_their_lights(
    environment: dict[str, str],
) -> None:
    _, result = _once(environment, "--wav", KITCHEN_LIGHTS)
    # One "s" decides between the light and the lights, which here are the same.
    assert result["transcript"].lower().removesuffix("s") == "turn on the kitchen light"
    _check_turn(result)
    seen = result["camera"]
    assert seen["label"] == "person"
    assert seen["confidence"] > 0.5
    assert seen["counts"]["person"] >= 1
    assert (seen["light_before"], seen["light_after"]) == ("off", "on")


def test_a_picture_that_cannot_be_shown_is_one_clear_line(
    environment: dict[str, str], tmp_path: Path
) -> None:
    done = _run(environment, "--camera", tmp_path / "missing.jpg")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"script/run: cannot show {tmp_path / 'missing.jpg'}: No such file or directory"
    ]


def test_it_stays_up_on_loopback_until_interrupted_and_leaves_nothing(
    environment: dict[str, str],
) -> None:
    with start(environment) as process:
        try:
            port = int(read_until(process, r"http://127\.0\.0\.1:(\d+)\S*  ?user demo")[1])
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                pass
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.terminate()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_terminated_while_starting_it_leaves_nothing(environment: dict[str, str]) -> None:
    with start(environment, "--once") as process:
        read_until(process, "Starting Home Assistant")
        time.sleep(1)
        process.terminate()
        assert process.wait(60) != 0


def test_a_taken_port_is_one_clear_line(environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = _run(environment, "--ha-port", str(port))
    assert done.returncode == 1
    assert done.stderr.strip() == f"script/run: port {port} is in use"


def test_a_recording_that_cannot_be_read_is_one_clear_line(
    environment: dict[str, str], tmp_path: Path
) -> None:
    done = _run(environment, "--wav", tmp_path / "missing.wav")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"script/run: cannot read {tmp_path / 'missing.wav'}: No such file or directory"
    ]

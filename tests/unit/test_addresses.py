"""Which addresses of cameras may be opened."""

from __future__ import annotations

import pytest

from wyoming_units.errors import BadRequest
from wyoming_units.video.addresses import Allowed, check, redact

NOTHING = Allowed()


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://192.168.1.5/stream",
        "RTSP://10.0.0.9:8554/a?b=c",
        "rtsps://172.16.3.4/stream",
        "http://user:p%40ss@127.0.0.1:8080/video",
        "https://[fd00::1]/snap.jpg",
        "http://[::1]/",
        "http://169.254.3.4/",
        "http://localhost/",
    ],
)
def test_cameras_of_private_networks_may_be_opened(url: str) -> None:
    check(url, NOTHING)


@pytest.mark.parametrize(
    "url",
    [
        "http://93.184.216.34/",
        "rtsp://8.8.8.8/stream",
        "http://[2606:4700::1111]/",
        "http://[::ffff:8.8.8.8]/",
        "http://134744072/",  # 8.8.8.8 in one number
        "http://192.168.1.5@8.8.8.8/",
    ],
)
def test_public_addresses_may_not_be_opened_however_they_are_written(url: str) -> None:
    with pytest.raises(BadRequest, match="no private network"):
        check(url, NOTHING)


def test_named_hosts_and_networks_may_be_opened() -> None:
    check("http://8.8.8.8/", Allowed(hosts=("8.8.8.8",)))
    check("http://8.8.8.8/", Allowed(hosts=("camera.example", "8.8.0.0/16")))
    check("http://[::ffff:8.8.8.8]/", Allowed(hosts=("8.8.8.0/24",)))
    with pytest.raises(BadRequest):
        check("http://8.8.8.8/", Allowed(hosts=("8.8.4.0/24",)))


def test_a_named_host_is_compared_by_its_whole_name(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(2, 1, 6, "", ("8.8.8.8", 80))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **more: answers)
    check("http://Cam.Example.org/", Allowed(hosts=("cam.example.org",)))
    check("http://cam.example.org./", Allowed(hosts=("cam.example.org",)))
    with pytest.raises(BadRequest):
        check("http://cam.example.org.evil.net/", Allowed(hosts=("cam.example.org",)))


def test_one_public_address_of_a_name_is_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(2, 1, 6, "", (address, 80)) for address in ("192.168.1.5", "8.8.8.8")]
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **more: answers)
    with pytest.raises(BadRequest, match=r"8\.8\.8\.8 is in no private network"):
        check("http://camera.example/", NOTHING)


@pytest.mark.parametrize("url", ["file:///etc/hosts", "/etc/hosts", "video.mp4", "file:a.mp4"])
def test_files_need_a_permission(url: str) -> None:
    with pytest.raises(BadRequest, match=r"cameras\.files"):
        check(url, NOTHING)
    check(url, Allowed(files=True))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://192.168.1.5/a",
        "concat://192.168.1.5/a",
        "http://",
        "rtsp:///stream",
        "http://192.168.1.5:99999/",
        "http://192.168.1.5:0/",
        "http://[::1/",
        "http://192.168.1.5/a b",
        "http://192.168.1.5/a\r\nHost: other",
    ],
)
def test_what_is_no_address_of_a_camera_is_refused(url: str) -> None:
    with pytest.raises(BadRequest, match="no address of a camera"):
        check(url, Allowed(hosts=("0.0.0.0/0",), files=True))


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://joe:hidden@8.8.8.8/a",
        "ftp://joe:hidden@192.168.1.5/hidden",
        "http://joe:hid@hidden@8.8.8.8/x?password=hidden",
    ],
)
def test_a_refusal_tells_no_credentials(url: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        check(url, NOTHING)
    assert "hidden" not in str(refusal.value)
    assert "joe" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://joe:secret@cam:554/live/1", "rtsp://cam:554/live/1"),
        ("rtsp://joe:se@cret@cam/live", "rtsp://cam/live"),
        ("http://cam/snap?user=joe&password=secret", "http://cam/snap?…"),
        ("rtsp://cam/user=joe&password=secret&channel=1/x", "rtsp://cam/user=…/x"),
        ("http://cam/a#secret", "http://cam/a"),
        ("http://[broken/secret", "…"),
        ("/media/yard.mp4", "/media/yard.mp4"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert redact(url) == shown

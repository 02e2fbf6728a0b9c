"""Where a module is, as users write it."""

from __future__ import annotations

import pytest

from wyoming_units.errors import BadRequest
from wyoming_units.stackflow.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address", "where"),
    [
        ("m5.local", Address(host="m5.local"), "m5.local:10001"),
        (" 192.168.1.9:10002 ", Address(host="192.168.1.9", port=10002), "192.168.1.9:10002"),
        ("[fe80::1%eth0]", Address(host="fe80::1%eth0"), "[fe80::1%eth0]:10001"),
        ("[::1]:7", Address(host="::1", port=7), "[::1]:7"),
        ("serial:/dev/ttyS1", Address(device="/dev/ttyS1"), "/dev/ttyS1"),
        ("serial:/dev/ttyUSB0@921600", Address(device="/dev/ttyUSB0", baud=921600), "/dev/ttyUSB0"),
    ],
)
def test_addresses_are_read(text: str, address: Address, where: str) -> None:
    assert parse_address(text) == address
    assert address.where == where


@pytest.mark.parametrize(
    "text",
    [
        *("", ":10001", "host:", "host:0", "host:65536", "host:x", "::1", "[::1", "http://host"),
        *("serial:", "serial:@9600", "serial:/dev/ttyS1@", "serial:/dev/ttyS1@fast", "a b"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_address(text)

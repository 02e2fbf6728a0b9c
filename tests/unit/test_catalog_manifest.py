"""A manifest that is wrong is refused with one line that names the file and the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wyoming_units.catalog.listing import _stanzas
from wyoming_units.catalog.manifest import read_manifest
from wyoming_units.errors import UnitError

GOOD = """
name = "model"
kind = "stt"
description = "Hears"
author = "Somebody"
upstream = "https://example.org/model"
license = "MIT"
size = 1_000

[[variants]]
targets = ["cpu"]
engine = "sherpa-offline"

[variants.source]
url = "https://example.org/model.onnx"
"""


def read(folder: Path, text: str) -> Any:
    path = folder / "model.toml"
    path.write_text(text, "utf-8")
    return read_manifest(path)


def test_a_good_manifest_is_read(tmp_path: Path) -> None:
    manifest = read(tmp_path, GOOD)
    assert manifest.targets == ("cpu",)
    assert not manifest.approximate
    assert manifest.variants[0].engines == ("sherpa-offline",)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('kind = "stt"', 'kind = "hearing"', "kind: Input should be 'wake', 'stt'"),
        ('license = "MIT"\n', "", "license: Field required"),
        ("size = 1_000", "size = 0", "size: Input should be greater than 0"),
        ("size = 1_000", "size = 1\ncolour = 2", "colour: Extra inputs are not permitted"),
        ('name = "model"', 'name = "../model"', "name: String should match pattern"),
        ('name = "model"', 'name = ".partial"', "name: String should match pattern"),
        ('targets = ["cpu"]', 'targets = ["gpu"]', "variants.0.targets.0: Input should be 'cpu'"),
        ('targets = ["cpu"]', "targets = []", "variants.0.targets: Tuple should have at least 1"),
        ('["cpu"]', '["cpu", "cpu"]', "more than one variant for cpu"),
        ('["cpu"]', '["cuda"]\nengine2 = 1', "variants.0.engine2: Extra inputs"),
        ("size = 1_000", 'size = 1\nrecommended = ["tpu"]', "recommended.0: Input should be"),
        ('url = "https:', 'url = "ftp:', "variants.0.source.url.url: String should match"),
        ('url = "h', 'hub = "a/b"\nurl = "h', "variants.0.source: needs exactly one of hub, url"),
        ('url = "https://example.org/model.onnx"', "", "source: needs exactly one of hub, url"),
        ('url = "https://example.org/model.onnx"', 'hub = "a"', "source.hub.hub: String should"),
        ('.onnx"', '.onnx"\nsha256 = "abc"', "source.url.sha256: String should match"),
        ('.onnx"', '.onnx"\nfiles = []', "source.url.files: Value error, names no file"),
        ('.onnx"', '.onnx"\nfiles = ["../x"]', "'../x' leads out of the model's folder"),
        ('.onnx"', '.onnx"\nfolder = "/etc"', "'/etc' leads out of the model's folder"),
        ('name = "model"', "name = ", "is no TOML: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(UnitError) as failed:
        read(tmp_path, GOOD.replace(old, new))
    assert told in str(failed.value)
    assert str(tmp_path / "model.toml") in str(failed.value)
    assert "\n" not in str(failed.value).partition("is no TOML")[0]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnitError, match=r"cannot read .*none\.toml: No such file"):
        read_manifest(tmp_path / "none.toml")


def test_an_index_of_packages_is_read_by_its_stanzas() -> None:
    text = (
        "Package: one\nVersion: 1\nDescription: says\n more: here\n .\nFilename: pool/one.deb\n"
        "\nPackage: two\r\nSHA256: AB\r\n\n\n"
    )
    one, two = (found for found in _stanzas(text) if found)
    assert one == {
        "package": "one",
        "version": "1",
        "description": "says",
        "filename": "pool/one.deb",
    }
    assert two == {"package": "two", "sha256": "AB"}

"""Models that come packed: archives and Debian packages, good and malicious ones."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.integration.model_host import ModelHost, deb, packages, tar
from tests.integration.pulling import (
    MODE,
    WEIGHTS,
    files,
    folder_of_models,  # noqa: F401
    host_of_models,  # noqa: F401
    nothing,
    planned,
)
from wyoming_units.catalog.archive import BadArchive
from wyoming_units.catalog.fetch import PullFailed
from wyoming_units.catalog.pull import pull

# -- archives

GOOD = {
    "top/model.onnx": WEIGHTS,
    "top/data/a.txt": b"a",
    "top/test.wav": b"",
    "top/tokens.txt": b"t",
}
LINKS = {"sym": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return tar([info])


@pytest.mark.parametrize("ending", ["tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_of_an_archive_only_the_model_is_kept(host: ModelHost, folder: Path, ending: str) -> None:
    body = zipped(GOOD) if ending == "zip" else tar(GOOD, f"w:{ending[4:]}")
    host.put(f"/model.{ending}", body)
    host.put("/vocoder.onnx", b"v")
    wanted = planned(
        url=f"{host.url}/model.{ending}",
        folder="top",
        files=["*.onnx", "data/*"],
        beside=[f"{host.url}/vocoder.onnx"],
    )
    pull(wanted, folder)
    kept = {"model.onnx": WEIGHTS, "data/a.txt": b"a", "vocoder.onnx": b"v"}
    assert files(folder / "model") == kept


def test_links_inside_an_archive_become_files(host: ModelHost, folder: Path) -> None:
    info = tarfile.TarInfo("top/model.onnx")
    info.size = 3
    links = []
    for name, kind in LINKS.items():
        link = tarfile.TarInfo(f"top/{name}.onnx")
        link.type, link.linkname = kind, "model.onnx" if name == "sym" else "top/model.onnx"
        links.append(link)
    host.put("/model.tar.gz", tar([info, *links]))
    pull(planned(url=f"{host.url}/model.tar.gz", folder="top"), folder)
    same = {f"{name}.onnx": bytes(3) for name in ("model", "sym", "hard")}
    assert files(folder / "model") == same
    assert not any(path.is_symlink() for path in (folder / "model").iterdir())


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (tar({"../out": b"x"}), "'../out' leads out of the folder"),
        (tar({"top/../../out": b"x"}), "leads out of the folder"),
        (tar({"/out": b"x"}), "'/out' leads out of the folder"),
        (tar({"top\\..\\out": b"x"}), "leads out of the folder"),
        (zipped({"../out": b"x"}), "'../out' leads out of the folder"),
        (zipped({"/out": b"x"}), "'/out' leads out of the folder"),
        (member("top/a", tarfile.SYMTYPE, "../../out"), "leads out of the folder"),
        (member("top/a", tarfile.SYMTYPE, "/etc/passwd"), "leads out of the folder"),
        (member("top/a", tarfile.LNKTYPE, "../out"), "leads out of the folder"),
        (member("top/a", tarfile.SYMTYPE, "gone"), "links to nothing"),
        (member("top/a", tarfile.SYMTYPE, "a"), "links to nothing"),
        (member("top/a", tarfile.CHRTYPE), "is no file"),
        (member("top/a", tarfile.FIFOTYPE), "is no file"),
        (tar({"top/a": bytes(2_000_000)}), "holds far more bytes than this model has"),
        (zipped({"top/a": bytes(2_000_000)}), "holds far more bytes than this model has"),
        (tar({f"{n}": b"" for n in range(51)}), "more than 50 files"),
        (tar(GOOD)[:-200], "is broken"),
        (b"<html>moved</html>", "is broken"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_a_malicious_archive_is_refused_and_not_met_again(
    host: ModelHost, folder: Path, body: bytes, told: str
) -> None:
    wanted = planned(url=f"{host.url}/model.tar.gz", about=1_000)
    host.put("/model.tar.gz", body)
    with pytest.raises(BadArchive) as failed:
        pull(wanted, folder)
    assert told in str(failed.value)
    assert nothing(folder)
    assert not list(folder.parent.rglob("out"))
    host.put("/model.tar.gz", tar({"model.onnx": WEIGHTS}))
    pull(wanted, folder)
    assert files(folder / "model") == {"model.onnx": WEIGHTS}


def test_a_declared_size_alone_takes_no_room(host: ModelHost, folder: Path) -> None:
    info = tarfile.TarInfo("top/a")
    info.size = 10**12
    host.put("/model.tar", info.tobuf() + bytes(512))
    with pytest.raises(BadArchive):
        pull(planned(url=f"{host.url}/model.tar", about=1_000), folder)
    held = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert held < 10_000


def test_an_archive_without_the_model_is_refused(host: ModelHost, folder: Path) -> None:
    host.put("/model.tar.gz", tar({"elsewhere/model.onnx": b"m"}))
    with pytest.raises(PullFailed, match=r"model.tar.gz holds none of the files of model"):
        pull(planned(url=f"{host.url}/model.tar.gz", folder="top"), folder)
    assert nothing(folder)


# -- Debian packages


def repository(host: ModelHost, body: bytes, version: str = "0.4-m5stack1") -> dict[str, Any]:
    path = "pool/jammy/ax630c/v0.4/llm-model-Model.deb"
    other = ("llm-model-other", "1.0", "pool/other.deb", b"")
    index = packages(other, ("llm-model-model", version, path, body), other)
    host.put("/apt/dists/jammy/ax630c/binary-arm64/Packages", index)
    host.put(f"/apt/{path}", body, cuts=[100])
    return {"deb": "llm-model-model", "version": "0.4", "repository": f"{host.url}/apt/"}


@pytest.mark.parametrize("mode", ["w:xz", "w:gz", "w", "w:zst"])
def test_a_package_is_unpacked_without_root(host: ModelHost, folder: Path, mode: str) -> None:
    if mode == "w:zst" and sys.version_info < (3, 14):
        pytest.skip("this Python cannot write the package")
    inside = {f"{MODE}/Model/a.axmodel": WEIGHTS, f"{MODE}/models/mode_Model.json": b"{}"}
    source = repository(host, deb({**inside, "usr/share/doc/copyright": b"c"}, mode))
    receipt = pull(planned(folder=MODE, **source), folder)
    assert files(folder / "model") == {"Model/a.axmodel": WEIGHTS, "models/mode_Model.json": b"{}"}
    assert receipt.revision == "0.4-m5stack1"


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not here")
def test_a_package_of_a_newer_compression_is_opened_by_dpkg(
    tmp_path: Path, host: ModelHost, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root" / "DEBIAN").mkdir(parents=True)
    control = "Package: m\nVersion: 1\nArchitecture: arm64\nMaintainer: m <m@m>\nDescription: m\n"
    (tmp_path / "root" / "DEBIAN" / "control").write_text(control)
    (tmp_path / "root" / MODE).mkdir(parents=True)
    (tmp_path / "root" / MODE / "a.axmodel").write_bytes(WEIGHTS)
    command = ["dpkg-deb", "-Zzstd", "--build", str(tmp_path / "root"), str(tmp_path / "m.deb")]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this dpkg-deb knows no Zstandard")
    monkeypatch.setattr(sys, "version_info", (3, 13))
    pull(planned(folder=MODE, **repository(host, (tmp_path / "m.deb").read_bytes())), folder)
    assert files(folder / "model") == {"a.axmodel": WEIGHTS}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"no package", "is no Debian package"),
        (deb({"a": b""})[:90], "is broken"),
        (b"!<arch>\n", "holds no files"),
        (deb({f"{MODE}/../../../../out": b"x"}), "leads out of the folder"),
        (deb({f"{MODE}/a": bytes(9_000_000)}), "holds far more bytes"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_a_bad_package_is_refused(host: ModelHost, folder: Path, body: bytes, told: str) -> None:
    with pytest.raises(BadArchive, match=told):
        pull(planned(folder=MODE, about=1_000, **repository(host, body)), folder)
    assert nothing(folder)
    assert not list(folder.parent.rglob("out"))


def test_a_package_that_is_not_as_the_index_says_is_refused(host: ModelHost, folder: Path) -> None:
    body = deb({f"{MODE}/a": WEIGHTS})
    source = repository(host, body)
    host.put("/apt/pool/jammy/ax630c/v0.4/llm-model-Model.deb", body[:-1] + b"!")
    with pytest.raises(PullFailed, match="SHA-256"):
        pull(planned(folder=MODE, **source), folder)
    assert nothing(folder)


def test_a_version_that_a_repository_lacks_is_told_with_what_it_has(
    host: ModelHost, folder: Path
) -> None:
    source = repository(host, b"", version="0.40-m5stack1")
    with pytest.raises(PullFailed, match=r"no llm-model-model 0.4, only 0.40-m5stack1"):
        pull(planned(**source), folder)
    source["deb"] = "llm-model-none"
    with pytest.raises(PullFailed, match="nothing of that name"):
        pull(planned(**source), folder)

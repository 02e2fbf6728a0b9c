"""Pulling models from hosts at their worst: what ends up on the disk is whole and right, or nothing."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.model_host import COMMIT, ModelHost, deb, packages, tar
from wyoming_units.catalog import archive, fetch, pull as pull_module
from wyoming_units.catalog.archive import BadArchive
from wyoming_units.catalog.fetch import PullFailed
from wyoming_units.catalog.manifest import Manifest, Target
from wyoming_units.catalog.plan import Plan, plan
from wyoming_units.catalog.pull import damage, present, pull
from wyoming_units.catalog.store import (
    PARTIAL,
    RECEIPT,
    Receipt,
    installed,
    local_models,
    remove,
    resolve,
)
from wyoming_units.errors import UnitError, UnknownModel

WEIGHTS = hashlib.shake_256(b"weights").digest(300_000)
"""Bytes that no compression makes smaller."""
MODE = "opt/m5stack/data"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHost]:
    monkeypatch.setattr(fetch, "PAUSE", 0.01)
    monkeypatch.setattr(archive, "MOST_MEMBERS", 50)
    monkeypatch.setattr(pull_module, "_SLACK", 1_000_000)
    with ModelHost() as host:
        monkeypatch.setenv("HF_ENDPOINT", host.url)
        yield host


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def planned(
    name: str = "model", *, target: Target = "cpu", about: int = 300_000, **source: Any
) -> Plan:
    variant = {"targets": [target], "engine": "sherpa-offline", "source": source}
    told = {"kind": "stt", "description": "Hears", "author": "A", "license": "MIT", "size": about}
    manifest = Manifest.model_validate(
        {
            **told,
            "name": name,
            "languages": ["en"],
            "upstream": "https://example.org",
            "variants": [variant],
        }
    )
    return plan(manifest, target)


def files(folder: Path) -> dict[str, bytes]:
    """Return what is in a model's folder, the receipt aside."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != RECEIPT)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def nothing(folder: Path) -> bool:
    """Return whether no model is where engines look."""
    return [path.name for path in folder.iterdir()] == [PARTIAL] and installed(folder) == []


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# -- one file


def test_a_file_is_pulled_once(host: ModelHost, folder: Path) -> None:
    host.put("/v1/model.onnx", WEIGHTS)
    wanted = planned(url=f"{host.url}/v1/model.onnx", sha256=sha256(WEIGHTS), size=300_000)
    seen: list[tuple[str, int, int | None]] = []
    receipt = pull(wanted, folder, lambda *told: seen.append(told))
    assert files(folder / "model") == {"model.onnx": WEIGHTS}
    assert receipt.files[0].sha256 == sha256(WEIGHTS)
    assert installed(folder) == [receipt]
    assert seen[0] == ("model.onnx", 0, 300_000)
    assert seen[-1] == ("model.onnx", 300_000, 300_000)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    host.asked.clear()
    assert present(wanted, folder) == receipt
    assert host.asked == []
    assert not (folder / PARTIAL / "model").exists()


def test_a_connection_that_breaks_is_taken_up_where_it_broke(host: ModelHost, folder: Path) -> None:
    host.put("/model.onnx", WEIGHTS, cuts=[100_000, 1, 50_000])
    pull(planned(url=f"{host.url}/model.onnx"), folder)
    assert files(folder / "model") == {"model.onnx": WEIGHTS}
    asked = [None, "bytes=100000-", "bytes=100001-", "bytes=150001-"]
    assert host.ranges("/model.onnx") == asked


def test_a_host_that_knows_no_ranges_sends_all_again(host: ModelHost, folder: Path) -> None:
    host.put("/model.onnx", WEIGHTS, cuts=[100_000], ranges=False)
    pull(planned(url=f"{host.url}/model.onnx"), folder)
    assert files(folder / "model") == {"model.onnx": WEIGHTS}


def test_a_file_that_changed_meanwhile_is_not_mixed_with_the_old_one(
    host: ModelHost, folder: Path
) -> None:
    wanted = planned(url=f"{host.url}/model.onnx")
    host.put("/model.onnx", bytes(300_000), cuts=[100_000, 0, 0, 0])
    with pytest.raises(PullFailed, match="ended"):
        pull(wanted, folder)
    host.put("/model.onnx", WEIGHTS, etag='"2"')
    pull(wanted, folder)
    assert host.ranges("/model.onnx")[-1] == "bytes=100000-"
    assert files(folder / "model") == {"model.onnx": WEIGHTS}


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_a_part_of_who_knows_what_is_not_used(
    host: ModelHost, folder: Path, etag: str | None
) -> None:
    host.put("/model.onnx", WEIGHTS, cuts=[100_000], etag=etag)
    pull(planned(url=f"{host.url}/model.onnx"), folder)
    assert host.ranges("/model.onnx") == [None, None]
    assert files(folder / "model") == {"model.onnx": WEIGHTS}


def test_the_next_pull_goes_on_where_this_one_failed(host: ModelHost, folder: Path) -> None:
    wanted = planned(url=f"{host.url}/model.onnx", sha256=sha256(WEIGHTS))
    served = host.put("/model.onnx", WEIGHTS, cuts=[200_000, 0, 0, 0])
    with pytest.raises(PullFailed, match="the connection ended after 200000 of 300000 bytes"):
        pull(wanted, folder)
    assert nothing(folder)
    host.asked.clear()
    pull(wanted, folder)
    assert served.cuts == []
    assert host.ranges("/model.onnx") == ["bytes=200000-"]


def test_another_file_than_the_catalogue_knows_is_refused(host: ModelHost, folder: Path) -> None:
    wanted = planned(url=f"{host.url}/model.onnx", sha256=sha256(WEIGHTS))
    host.put("/model.onnx", WEIGHTS[:-1] + b"!")
    with pytest.raises(PullFailed, match=r"model.onnx: its SHA-256 is not the one"):
        pull(wanted, folder)
    assert nothing(folder)
    host.put("/model.onnx", WEIGHTS, etag='"2"')
    pull(wanted, folder)
    assert host.ranges("/model.onnx") == [None, None]


def test_a_length_that_is_too_long_is_a_broken_connection(host: ModelHost, folder: Path) -> None:
    wanted = planned(url=f"{host.url}/model.onnx")
    served = host.put("/model.onnx", WEIGHTS, declares=400_000, ranges=False)
    with pytest.raises(PullFailed, match="the connection ended after 300000 of 400000 bytes"):
        pull(wanted, folder)
    assert nothing(folder)
    served.ranges = True  # so that the host tells the true length when it is asked for the rest
    pull(wanted, folder)
    assert files(folder / "model") == {"model.onnx": WEIGHTS}


def test_a_length_that_is_too_short_is_noticed(host: ModelHost, folder: Path) -> None:
    host.put("/model.onnx", WEIGHTS, declares=1_000)
    with pytest.raises(PullFailed, match="the server has 1000 bytes, it should be 300000"):
        pull(planned(url=f"{host.url}/model.onnx", size=300_000), folder)
    with pytest.raises(PullFailed, match="SHA-256"):
        pull(planned(url=f"{host.url}/model.onnx", sha256=sha256(WEIGHTS)), folder)
    assert nothing(folder)


def test_a_file_out_of_all_proportion_is_refused_before_it_comes(
    host: ModelHost, folder: Path
) -> None:
    host.put("/model.onnx", b"x", declares=10**12)
    with pytest.raises(PullFailed, match="1000000000000 bytes are too many"):
        pull(planned(url=f"{host.url}/model.onnx"), folder)
    assert nothing(folder)


@pytest.mark.parametrize(("status", "times"), [(404, 1), (403, 1), (500, 3), (503, 3)])
def test_a_host_that_refuses_is_asked_again_only_where_that_may_help(
    host: ModelHost, folder: Path, status: int, times: int
) -> None:
    host.put("/model.onnx", WEIGHTS, statuses=[status] * 9)
    with pytest.raises(PullFailed, match=r"model\.onnx: "):
        pull(planned(url=f"{host.url}/model.onnx"), folder)
    assert len(host.asked) == times
    assert nothing(folder)


def test_a_host_that_stumbles_is_forgiven(host: ModelHost, folder: Path) -> None:
    host.put("/model.onnx", WEIGHTS, statuses=[500, 503])
    pull(planned(url=f"{host.url}/model.onnx"), folder)
    assert files(folder / "model") == {"model.onnx": WEIGHTS}


def test_nobody_at_home_is_one_clear_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PAUSE", 0.01)
    with ModelHost() as gone:
        url = gone.url
    with pytest.raises(PullFailed, match=r"model.onnx: \[Errno 111\] Connection refused"):
        pull(planned(url=f"{url}/model.onnx"), folder)


def test_a_full_disk_is_told_before_the_download(
    host: ModelHost, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10**6, 10**6 - 5, 5))
    host.put("/model.onnx", WEIGHTS)
    with pytest.raises(PullFailed, match=r"model needs 300000 bytes, .*models has 5 left"):
        pull(planned(url=f"{host.url}/model.onnx", size=300_000), folder)
    assert host.asked == []


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


# -- Hugging Face


def test_a_folder_of_a_hub_is_pulled_at_one_commit(host: ModelHost, folder: Path) -> None:
    config = b'{"a": 1}'
    host.hub["some/voices"] = {"en/x/x.onnx": WEIGHTS, "en/x/x.json": config, "en/xy.onnx": b"y"}
    wanted = planned(hub="some/voices", folder="en/x", files=["*.onnx", "x.json"])
    receipt = pull(wanted, folder)
    assert files(folder / "model") == {"x.onnx": WEIGHTS, "x.json": config}
    assert receipt.revision == COMMIT
    got = [asked.path for asked in host.asked if "/resolve/" in asked.path]
    assert got == [f"/some/voices/resolve/{COMMIT}/en/x/{name}" for name in ("x.onnx", "x.json")]
    assert receipt.local(folder / "model").path == folder / "model"


def test_a_hub_s_file_is_resumed_and_checked_by_the_hub_s_own_hash(
    host: ModelHost, folder: Path
) -> None:
    host.hub["some/model"] = {"model.onnx": WEIGHTS}
    wanted = planned(hub="some/model")
    where = f"/cdn/{sha256(WEIGHTS)}"
    host.put(where, WEIGHTS[:-1] + b"!", cuts=[100_000], etag='"x"')
    with pytest.raises(PullFailed, match="SHA-256"):
        pull(wanted, folder)
    assert nothing(folder)
    host.put(where, WEIGHTS, cuts=[100_000], etag='"y"')
    pull(wanted, folder)
    assert host.ranges(where)[-2:] == [None, "bytes=100000-"]
    assert files(folder / "model") == {"model.onnx": WEIGHTS}


def test_a_token_goes_to_the_hub_and_nowhere_else(
    host: ModelHost, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    host.hub["some/model"] = {"model.onnx": WEIGHTS}
    pull(planned(hub="some/model"), folder)
    told = {
        asked.path: "hf_secret" in asked.headers.get("authorization", "") for asked in host.asked
    }
    assert told[f"/some/model/resolve/{COMMIT}/model.onnx"]
    assert not told[f"/cdn/{sha256(WEIGHTS)}"]


def test_files_of_two_commits_are_not_mixed(host: ModelHost, folder: Path) -> None:
    wanted = planned(hub="some/model")
    host.hub["some/model"] = {"config.json": b"1", "model.onnx": WEIGHTS}
    where = f"/cdn/{sha256(WEIGHTS)}"
    host.put(where, WEIGHTS, statuses=[404])
    with pytest.raises(PullFailed, match="404"):
        pull(wanted, folder)
    host.commit = "f" * 40
    host.hub["some/model"]["config.json"] = b"2"
    assert pull(wanted, folder).revision == "f" * 40
    assert files(folder / "model") == {"config.json": b"2", "model.onnx": WEIGHTS}


def test_a_hub_cannot_write_outside(host: ModelHost, folder: Path) -> None:
    host.hub["some/model"] = {"../../../../out.onnx": WEIGHTS}
    with pytest.raises(BadArchive, match="leads out of the folder"):
        pull(planned(hub="some/model"), folder)
    assert not list(folder.parent.rglob("out*"))


def test_what_a_hub_does_not_have_is_named(host: ModelHost, folder: Path) -> None:
    with pytest.raises(PullFailed, match=f"cannot list some/model at {host.url}: "):
        pull(planned(hub="some/model"), folder)
    host.hub["some/model"] = {"a/model.onnx": WEIGHTS}
    with pytest.raises(PullFailed, match=r"some/model has no file a/tokens\.txt"):
        pull(planned(hub="some/model", folder="a", files=["*.onnx", "tokens.txt"]), folder)
    with pytest.raises(PullFailed, match=r"some/model has no file b/\*"):
        pull(planned(hub="some/model", folder="b"), folder)
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


# -- what is here


def test_the_old_version_stays_until_the_new_one_is_whole(host: ModelHost, folder: Path) -> None:
    host.put("/1.onnx", b"one")
    host.put("/2.onnx", WEIGHTS, cuts=[1_000, 0, 0, 0])
    old = pull(planned(url=f"{host.url}/1.onnx"), folder)
    newer = planned(url=f"{host.url}/2.onnx", target="cuda")
    assert present(newer, folder) is None
    with pytest.raises(PullFailed):
        pull(newer, folder)
    assert installed(folder) == [old]
    assert files(folder / "model") == {"1.onnx": b"one"}
    pull(newer, folder)
    assert files(folder / "model") == {"2.onnx": WEIGHTS}
    assert [receipt.target for receipt in installed(folder)] == ["cuda"]
    assert not (folder / PARTIAL / "model").exists()


def test_a_folder_that_somebody_else_made_is_left_alone(host: ModelHost, folder: Path) -> None:
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "mine.onnx").write_bytes(b"mine")
    host.put("/model.onnx", WEIGHTS)
    with pytest.raises(PullFailed, match="is in the way"):
        pull(planned(url=f"{host.url}/model.onnx"), folder)
    assert files(folder / "model") == {"mine.onnx": b"mine"}


def test_two_at_once_do_not_meddle(host: ModelHost, folder: Path) -> None:
    served = host.put("/model.onnx", WEIGHTS, holds_at=1_000)
    wanted = planned(url=f"{host.url}/model.onnx")
    first: list[Receipt] = []
    worker = threading.Thread(target=lambda: first.append(pull(wanted, folder)))
    worker.start()
    assert served.reached.wait(10)
    with pytest.raises(PullFailed, match="being pulled by another process"):
        pull(wanted, folder)
    served.go.set()
    worker.join(10)
    assert installed(folder) == first


def test_damage_is_found_and_repaired(host: ModelHost, folder: Path) -> None:
    host.put("/model.tar.gz", tar(dict.fromkeys("abcd", b"good")))
    wanted = planned(url=f"{host.url}/model.tar.gz")
    receipt = pull(wanted, folder)
    assert damage(receipt, folder / "model") == []
    (folder / "model" / "a").unlink()
    (folder / "model" / "b").write_bytes(b"evil")
    (folder / "model" / "c").write_bytes(b"goo")
    told = {fault.name: fault.what for fault in damage(receipt, folder / "model")}
    assert told == {
        "a": "is missing",
        "b": "has other content than when it came",
        "c": "has 3 bytes instead of 4",
    }
    assert present(wanted, folder) is None
    pull(wanted, folder)
    assert present(wanted, folder) is not None


def test_models_are_found_by_name_alias_and_path(host: ModelHost, folder: Path) -> None:
    host.put("/model.onnx", WEIGHTS)
    pull(planned("whisper-tiny", url=f"{host.url}/model.onnx"), folder)
    by_name = resolve("Whisper-Tiny", "sherpa-offline", folder)
    assert by_name == resolve("faster-whisper-tiny", "sherpa-offline", folder)
    assert (by_name.name, by_name.languages) == ("whisper-tiny", ("en",))
    assert by_name.path == folder / "whisper-tiny" / "model.onnx"
    assert resolve(str(folder / "whisper-tiny"), "any", folder) == by_name
    mine = folder.parent / "mine.onnx"
    mine.write_bytes(b"")
    assert resolve(str(mine), "piper", folder).name == "mine"
    assert resolve(str(folder.parent), "piper", folder).path == folder.parent
    with pytest.raises(UnknownModel, match="is a model for sherpa-offline, not piper"):
        resolve("tiny", "piper", folder)
    with pytest.raises(UnknownModel, match="wyoming-units models pull whisper-base"):
        resolve("base", "faster-whisper", folder)
    with pytest.raises(UnknownModel, match="neither a file nor a name of the catalogue"):
        resolve("./nothing", "piper", folder)


def test_models_are_listed_by_the_first_engine_that_can_be_used(
    host: ModelHost, folder: Path
) -> None:
    host.put("/voice.onnx", WEIGHTS)
    wanted = planned("voice", url=f"{host.url}/voice.onnx")
    also = wanted.variant.model_copy(update={"engine": "piper", "also": ("sherpa-tts",)})
    pull(Plan(**{**vars(wanted), "variant": also}), folder)
    pull(planned("other", url=f"{host.url}/voice.onnx"), folder)
    assert {key: [m.name for m in found] for key, found in local_models(folder).items()} == {
        "piper": ["voice"],
        "sherpa-offline": ["other"],
    }
    assert set(local_models(folder, {"sherpa-tts"}.__contains__)) == {"sherpa-tts"}
    assert resolve("voice", "sherpa-tts", folder).name == "voice"
    assert local_models(folder / "none") == {}


def test_a_receipt_that_cannot_be_read_hides_its_model_only(
    host: ModelHost, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host.put("/model.onnx", WEIGHTS)
    for name in ("one", "two"):
        pull(planned(name, url=f"{host.url}/model.onnx"), folder)
    (folder / "one" / RECEIPT).write_text("{")
    assert [receipt.name for receipt in installed(folder)] == ["two"]
    assert "cannot be read" in caplog.text
    pull(planned("one", url=f"{host.url}/model.onnx"), folder)
    assert [receipt.name for receipt in installed(folder)] == ["one", "two"]


def test_a_removed_model_leaves_nothing(host: ModelHost, folder: Path) -> None:
    host.put("/model.onnx", WEIGHTS)
    pull(planned(url=f"{host.url}/model.onnx"), folder)
    remove("Model", folder)
    assert nothing(folder)
    assert not any(path.is_dir() for path in (folder / PARTIAL).iterdir())
    with pytest.raises(UnitError, match="model model is not installed"):
        remove("model", folder)

"""Pulling models from hosts at their worst: what ends up on the disk is whole and right, or nothing."""

from __future__ import annotations

import shutil
import threading
from collections import namedtuple
from pathlib import Path

import pytest

from tests.integration.model_host import COMMIT, ModelHost, tar
from tests.integration.pulling import (
    WEIGHTS,
    files,
    folder_of_models,  # noqa: F401
    host_of_models,  # noqa: F401
    nothing,
    planned,
    sha256,
)
from wyoming_units.catalog import fetch
from wyoming_units.catalog.archive import BadArchive
from wyoming_units.catalog.fetch import PullFailed
from wyoming_units.catalog.plan import Plan
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

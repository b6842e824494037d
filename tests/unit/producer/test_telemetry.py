"""Telemetry is fetched, checked by digest, and replayed a minute apart."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.errors import DownloadError, FleetsError, UserError
from common.settings import Settings
from common.telemetry.files import Split, find_folder
from producer.app import ReplayRequest, plan_replay
from producer.data import telemetry
from producer.data.download import FileState, Progress
from producer.data.telemetry import check_telemetry, fetch_telemetry
from tests.support.telemetry import TEST_ROWS, write_telemetry

NOW = datetime(2026, 7, 1, tzinfo=UTC)
NAMES = {"A-1": "SMAP", "P-2": "SMAP"}
REQUEST = ReplayRequest(
    "smap", "test", "all", "max", "2026-01-01T00:00:00Z", None, None, 0, fleet="default"
)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of streams that count as published."""
    folder = write_telemetry(tmp_path / "published", NAMES, packed=False)
    digests: dict[tuple[str, Split], str] = {}
    for split in ("train", "test"):
        for name in NAMES:
            content = (folder / split / f"{name}.npy").read_bytes()
            digests[name, split] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(telemetry, "PUBLISHED_STREAMS", digests)
    return folder


def zipped(folder: Path, *, labels: bool = True, into: str = "data/") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.suffix == ".npy" or (labels and path.suffix == ".csv"):
                archive.write(path, into + path.relative_to(folder).as_posix())
    return content.getvalue()


def serve(monkeypatch: pytest.MonkeyPatch, answers: dict[str, bytes]) -> None:
    """Let addresses answer without a network; the real download is tested with C-MAPSS."""

    def answer(
        url: str, archive: io.BytesIO, on_progress: Progress, most_bytes: int, instead: str
    ) -> None:
        archive.write(answers[url])
        on_progress(len(answers[url]), len(answers[url]))

    monkeypatch.setattr(telemetry, "download", answer)


def test_what_was_published_is_verified_and_what_was_changed_is_damaged(published: Path) -> None:
    (published / "test" / "A-1.npy").write_bytes(b"changed")
    (published / "train" / "P-2.npy").unlink()
    write_telemetry(published.parent / "more", {"B-1": "SMAP"}, packed=False)
    (published.parent / "more/train/B-1.npy").rename(published / "train" / "B-1.npy")

    states = check_telemetry(published)

    assert states == {
        "train/A-1.npy": FileState.VERIFIED,
        "train/B-1.npy": FileState.UNKNOWN,
        "train/P-2.npy": FileState.MISSING,
        "test/A-1.npy": FileState.DAMAGED,
        "test/P-2.npy": FileState.VERIFIED,
    }


def test_what_is_missing_is_fetched_and_what_is_there_is_kept(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, {"zip": zipped(published)})
    data = tmp_path / "data"

    first = fetch_telemetry(data, "zip")
    (data / "smap_msl/test/A-1.npy").write_bytes(b"damaged")
    second = fetch_telemetry(data, "zip")
    third = fetch_telemetry(data, "zip")

    assert first.folder == data / "smap_msl" == find_folder(data)
    assert len(first.written) == 5
    assert second.written == ("test/A-1.npy",) or set(second.written) == {
        "test/A-1.npy",
        "labeled_anomalies.csv",
    }
    assert third.written == ()
    assert set(check_telemetry(data).values()) == {FileState.VERIFIED}


def test_labels_come_from_their_own_address_where_the_archive_has_none(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = (published / "labeled_anomalies.csv").read_bytes()
    serve(monkeypatch, {"zip": zipped(published, labels=False), "labels": labels})

    fetch_telemetry(tmp_path / "data", "zip", "labels")

    assert (tmp_path / "data/smap_msl/labeled_anomalies.csv").read_bytes() == labels


def test_what_differs_from_what_was_published_is_refused(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_telemetry(tmp_path / "other", {"P-2": "SMAP", "A-1": "SMAP"}, packed=False)
    serve(monkeypatch, {"zip": zipped(other)})

    with pytest.raises(DownloadError, match="not what was published"):
        fetch_telemetry(tmp_path / "data", "zip")

    assert not list((tmp_path / "data").rglob("*.npy"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"<html>", "not a zip archive", id="no zip"),
        pytest.param(None, "holds 0 streams", id="nothing in it"),
    ],
)
def test_an_archive_that_is_none_is_refused(
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
    told: str,
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    serve(monkeypatch, {"zip": zipped(empty) if content is None else content})

    with pytest.raises(DownloadError, match=told):
        fetch_telemetry(tmp_path / "data", "zip")


def test_streams_are_replayed_a_minute_apart(tmp_path: Path) -> None:
    settings = Settings(data_dir=write_telemetry(tmp_path / "smap_msl", NAMES))

    plan = plan_replay(REQUEST, settings, NOW)

    slots = plan.fleet.slots()
    assert len(slots) == 2 * TEST_ROWS
    messages = [json.loads(plan.fleet.message(slot).value) for slot in slots[:4]]
    assert [(each["asset_id"], each["cycle"]) for each in messages] == [
        ("A-1", 1), ("P-2", 1), ("A-1", 2), ("P-2", 2),
    ]  # fmt: skip
    assert [each["ts"] for each in messages[1:3]] == [
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:01:00Z",
    ]
    assert set(messages[0]["sensors"]) >= {"telemetry", "command_01", "command_24"}
    assert plan.command == (
        "surgeline replay --dataset SMAP --split test --engines all --speed max "
        "--start 2026-01-01T00:00:00Z --cycle-interval 60s --fleet default --run-id "
        f"{plan.fleet.run_id}"
    )


@pytest.mark.parametrize(
    ("engines", "expected"), [("P-2", ["P-2"]), ("a-1,P-2", ["A-1", "P-2"]), ("2", ["P-2"])]
)
def test_streams_are_chosen_by_name_or_number(
    tmp_path: Path, engines: str, expected: list[str]
) -> None:
    settings = Settings(data_dir=write_telemetry(tmp_path / "smap_msl", NAMES))
    request = ReplayRequest(**{**as_fields(REQUEST), "engines": engines})  # type: ignore[arg-type]

    fleet = plan_replay(request, settings, NOW).fleet

    assert [fleet.asset_id(unit) for unit in fleet.units] == expected


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        pytest.param({"engines": "A-2"}, UserError, "No stream 'A-2'", id="no such stream"),
        pytest.param({"fleet": None}, FleetsError, "No fleet 'SMAP'", id="nobody judges them"),
        pytest.param({"dataset": "MSL"}, UserError, "holds no test readings", id="not there"),
    ],
)
def test_what_cannot_be_replayed_is_a_users_mistake(
    tmp_path: Path, changes: dict[str, object], error: type[UserError], told: str
) -> None:
    settings = Settings(data_dir=write_telemetry(tmp_path / "smap_msl", NAMES))
    request = ReplayRequest(**{**as_fields(REQUEST), **changes})  # type: ignore[arg-type]

    with pytest.raises(error, match=told):
        plan_replay(request, settings, NOW)


def as_fields(request: ReplayRequest) -> dict[str, object]:
    return {name: getattr(request, name) for name in ReplayRequest.__dataclass_fields__}

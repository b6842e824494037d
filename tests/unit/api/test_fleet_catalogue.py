"""What is known of fleets is what their files say, now; what cannot be read is told."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from api.adapters.artifact_fleet_catalogue import (
    LOOK_EVERY_S,
    REGISTRY_EVERY_S,
    ArtifactFleetCatalogue,
    FleetReader,
)
from api.known_fleets import PROBLEM_EVERY_S, KnownFleets
from api.views.machines import ThresholdsView
from common.errors import BackendUnavailableError
from common.settings import AlarmSettings, Settings
from models.artifact.opening import open_parts
from models.artifact.store import SHIPPED, Artifact, load_artifact
from tests.support.clock import FakeClock
from tests.support.live_parts import LiveParts


def no_registry(url: str) -> Path:
    raise BackendUnavailableError(f"The registry does not know {url} at http://me:secret@host/.")


def reader(path: Path | None = None) -> FleetReader:
    return FleetReader(Settings(fleets=path), no_registry)


def write(path: Path, **fleets: str) -> Path:
    path.write_text(
        "".join(f'[fleet.{name}]\nartifact = "{at}"\n' for name, at in fleets.items()),
        encoding="utf-8",
    )
    return path


def copy(artifact: str, folder: Path) -> Path:
    return Path(shutil.copytree(SHIPPED / artifact, folder, dirs_exist_ok=True))


def test_without_a_file_there_are_the_shipped_fleets_as_a_worker_has_them() -> None:
    known = reader().read(0.0)

    assert known.problem == ""
    assert list(known.fleets) == ["default", "FD001", "FD002", "FD003", "FD004"]
    for fleet in known.fleets.values():
        artifact = load_artifact(fleet.artifact)
        assert fleet.model is not None
        assert fleet.model.ref == artifact.ref
        assert fleet.model.machine == artifact.manifest.machine
        assert fleet.model.warning == artifact.manifest.thresholds.warning.value
        assert fleet.model.critical == artifact.manifest.thresholds.critical.value


def test_a_model_with_parts_has_no_threshold_of_all_and_its_name_is_the_workers(
    tmp_path: Path,
) -> None:
    made = LiveParts.made(tmp_path)
    known = reader(write(tmp_path / "fleets.toml", SMAP=str(made.folder))).read(0.0)

    fleet = known.fleets["SMAP"]
    assert fleet.problem == ""
    assert fleet.model is not None
    assert fleet.model.ref == open_parts(made.folder).spec.ref
    assert fleet.model.machine == made.test.machine
    view = ThresholdsView.of(fleet.model)
    assert (view.warning, view.critical) == (None, None)


def test_rules_and_folders_are_those_that_workers_have(tmp_path: Path) -> None:
    path = tmp_path / "fleets.toml"
    path.write_text(
        '[fleet.a]\nartifact = "fd001"\nalarm = {on_delay_cycles = 5}\n'
        '[fleet.a.asset.odd]\nalarm = {deadband = 0.5}\n[fleet.b]\nartifact = "fd002"\n'
    )

    known = reader(path).read(0.0).fleets

    assert known["b"].alarm == AlarmSettings()
    assert known["a"].alarm == AlarmSettings(on_delay_cycles=5)
    assert known["a"].own_alarms == {"odd": AlarmSettings(on_delay_cycles=5, deadband=0.5)}
    assert known["a"].model is not None
    assert known["a"].model.folder == str(SHIPPED / "fd001")


def test_an_artifact_that_cannot_be_read_harms_no_other_fleet(tmp_path: Path) -> None:
    cut = copy("fd002", tmp_path / "cut")
    (cut / "model.onnx").write_bytes(b"half")
    empty = tmp_path / "empty"
    empty.mkdir()
    path = write(
        tmp_path / "fleets.toml",
        good="fd001",
        none="nowhere",
        cut=str(cut),
        empty=str(empty),
        far="models:/surgeline@production",
    )

    known = reader(path).read(0.0)

    assert known.fleets["good"].model is not None
    for name, said in {
        "none": "No artifact 'nowhere'",
        "cut": "was changed or damaged",
        "empty": "manifest.json cannot be read: No such file",
        "far": "The registry does not know models:/surgeline@production",
    }.items():
        assert known.fleets[name].model is None
        assert said in known.fleets[name].problem
    assert "secret" not in known.fleets["far"].problem
    assert known.machine("cut") is None
    assert known.machine("nobody") is None


def test_a_file_or_a_manifest_that_changes_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "fleets.toml", own=str(copy("fd001", tmp_path / "own")))
    reading = reader(path)
    before = reading.read(0.0)

    copy("fd002", tmp_path / "own")
    changed = reading.read(1.0)
    write(path, own=str(tmp_path / "own"), more="fd003")
    grown = reading.read(2.0)

    names = [
        None if (found := known.fleets["own"].model) is None else found.ref.name
        for known in (before, changed, grown)
    ]
    assert names == ["fd001", "fd002", "fd002"]
    assert list(grown.fleets) == ["own", "more"]


def test_what_has_not_changed_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = reader(write(tmp_path / "fleets.toml", one="fd001", other="fd001", third="fd003"))
    reads: list[str] = []

    def noted(folder: str) -> Artifact:
        reads.append(Path(folder).name)
        return load_artifact(folder)

    monkeypatch.setattr("api.adapters.artifact_fleet_catalogue.load_artifact", noted)

    for second in range(5):
        reading.read(float(second))

    assert reads == ["fd001", "fd003"]


def test_a_bad_file_of_fleets_leaves_those_of_before(tmp_path: Path) -> None:
    path = write(tmp_path / "fleets.toml", own="fd001")
    reading = reader(path)
    before = reading.read(0.0)

    path.write_text("[fleet.own]\nartefact = 'fd001'\n", encoding="utf-8")
    bad = reading.read(1.0)
    write(path, own="fd001")

    assert bad.fleets == before.fleets
    assert "fleet.own.artifact: Field required" in bad.problem
    assert reading.read(2.0) == before


def test_a_damaged_artifact_that_is_mended_is_found_again(tmp_path: Path) -> None:
    own = copy("fd001", tmp_path / "own")
    network = (own / "model.onnx").read_bytes()
    (own / "model.onnx").write_bytes(b"half")
    reading = reader(write(tmp_path / "fleets.toml", own=str(own)))
    assert reading.read(0.0).fleets["own"].model is None

    (own / "model.onnx").write_bytes(network)

    assert reading.read(PROBLEM_EVERY_S - 1).fleets["own"].model is None
    assert reading.read(PROBLEM_EVERY_S).fleets["own"].problem == ""


def test_an_alias_is_asked_for_again_after_a_while(tmp_path: Path) -> None:
    names = iter(["fd001", "fd002"])
    reading = FleetReader(
        Settings(fleets=write(tmp_path / "fleets.toml", own="models:/surgeline@production")),
        lambda _url: SHIPPED / next(names),
    )

    found = [reading.read(at).fleets["own"].model for at in (0.0, 59.0, REGISTRY_EVERY_S)]

    assert [None if each is None else each.ref.name for each in found] == [
        "fd001", "fd001", "fd002",
    ]  # fmt: skip


def test_a_folder_of_a_shipped_name_is_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy("fd003", tmp_path / "fd001")
    monkeypatch.chdir(tmp_path)

    known = reader(write(tmp_path / "fleets.toml", own="./fd001")).read(0.0)

    model = known.fleets["own"].model
    assert model is not None
    assert model.ref.name == "fd003"


class SlowReader(FleetReader):
    """Reads for as long as a test wants."""

    def __init__(self) -> None:
        super().__init__(Settings(), no_registry)
        self.go = threading.Event()
        self.reads = 0

    def read(self, now_s: float) -> KnownFleets:
        """Wait, then read."""
        assert self.go.wait(30)
        self.reads += 1
        return super().read(now_s)


async def test_questions_share_a_look_and_none_waits_long_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow, clock = SlowReader(), FakeClock()
    catalogue = ArtifactFleetCatalogue(slow, clock)
    monkeypatch.setattr("api.adapters.artifact_fleet_catalogue.FIRST_WAIT_S", 0.01)

    early = await asyncio.gather(*(catalogue.fleets() for _ in range(5)))
    slow.go.set()
    monkeypatch.undo()
    later = await catalogue.fleets()
    again = await catalogue.fleets()
    await clock.sleep(LOOK_EVERY_S)
    after = await catalogue.fleets()
    await catalogue.close()

    assert {each.problem for each in early} == {"The fleets are being read; ask again in a moment."}
    assert len(later.fleets) == len(after.fleets) == 5
    assert again is later
    assert slow.reads == 2


class BrokenReader(FleetReader):
    """Has a defect, until it is mended."""

    def __init__(self) -> None:
        super().__init__(Settings(), no_registry)
        self.broken = False

    def read(self, now_s: float) -> KnownFleets:
        """Read, or fail as nobody foresaw."""
        if self.broken:
            raise RuntimeError("a defect")
        return super().read(now_s)


async def test_a_defect_leaves_the_fleets_of_before_and_is_told() -> None:
    broken, clock = BrokenReader(), FakeClock()
    catalogue = ArtifactFleetCatalogue(broken, clock)
    before = await catalogue.fleets()

    broken.broken = True
    await clock.sleep(LOOK_EVERY_S)
    failed = await catalogue.fleets()
    broken.broken = False
    await clock.sleep(LOOK_EVERY_S)
    mended = await catalogue.fleets()
    await catalogue.close()

    assert failed.fleets == before.fleets
    assert failed.problem == "The fleets cannot be read (RuntimeError). The api's log says more."
    assert mended == before


async def test_a_look_that_goes_on_does_not_keep_the_api_from_stopping() -> None:
    slow = SlowReader()
    catalogue = ArtifactFleetCatalogue(slow, FakeClock())
    asked = asyncio.create_task(catalogue.fleets())
    await asyncio.sleep(0)

    await catalogue.close()
    slow.go.set()

    assert (await asked).fleets == {}


def test_the_api_loads_neither_onnxruntime_nor_torch_nor_mlflow() -> None:
    code = (
        "import sys\n"
        "from api.adapters.artifact_fleet_catalogue import FleetReader\n"
        "from api import app\nfrom api.commands import machines\n"
        "from common.settings import Settings\n"
        "assert FleetReader(Settings(), app.registry_folder).read(0.0).fleets\n"
        "print(sorted({'onnxruntime', 'torch', 'mlflow', 'sklearn', 'faust'} & set(sys.modules)))"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout == "[]\n"

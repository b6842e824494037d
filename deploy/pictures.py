"""Makes the pictures of the console in the docs: ``python -m deploy.pictures``.

Starts ``surgeline up`` in a folder of its own, replays simulated engines, does what operators do,
and photographs every page: wide and light, narrow and dark. Likewise a series with labels, which is
made for it: of real ones no picture may be published with us. Needs Playwright (the extra ``dev``)
and a Chromium. Look at each picture before you commit it.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, cast

import httpx
import numpy as np
import typer
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from common.errors import UserError
from common.links.kafka import make_producer, started
from common.settings import KafkaSettings
from common.telemetry.files import LABELS_FILE, MSL, SMAP, SUBFOLDER
from common.terminal.cli import friendly_errors
from common.topics import Topics
from deploy.local.programs import free_port
from deploy.local.statefile import running_stack

IMAGES: Final = Path("docs/images")
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S: Final = 180.0
LOOK_S: Final = 0.5
ENGINES: Final = "1-20"
LEAST_ALARMS: Final = 4
SERIES_ROWS: Final = 2400
SERIES_ANOMALY: Final = (1700, 1760)
"""Rows of the series for the picture in which its wave stands still."""
FIRST_LOOK_MS: Final = 1500
"""What is drawn after the last answer: charts, and lines in rows that stay in sight."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One way to look at the console.

    Attributes:
        width: Of the window, px.
        height: Of the window, px; a machine's page is photographed whole.
        scheme: ``light`` or ``dark``.
    """

    width: int
    height: int
    scheme: str


SHAPES: Final = (Shape(1280, 900, "light"), Shape(390, 844, "dark"))


@friendly_errors
def main(
    folder: Annotated[Path, typer.Option(help="Where the pictures go.")] = IMAGES,
    only_series: Annotated[
        bool, typer.Option("--only-series", help="Only the one of a labelled series.")
    ] = False,
) -> None:
    """Make the pictures of the console anew. Takes three minutes."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise UserError(f"No Chromium: none of {', '.join(BROWSERS)} is on the PATH. Install one.")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        # the pages are ours, and a sandbox is not to be had in every container
        shown = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        if not only_series:
            with tempfile.TemporaryDirectory() as place, _stack(Path(place), {}) as urls:
                _act(urls["api"], urls["broker"])
                for shape in SHAPES:
                    _photograph(shown, urls["api"], shape, folder)
        with tempfile.TemporaryDirectory() as place:
            _photograph_series(shown, Path(place), folder)
        shown.close()


@contextmanager
def _stack(place: Path, variables: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Run ``surgeline up`` there, with more variables; yield its addresses."""
    command = [sys.executable, "-m", "deploy.cli", "up", "--var", str(place / "var")]
    with (place / "output").open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*command, "--api-port", str(free_port())],
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=os.environ | variables,
        )
        try:
            yield _addresses(process, place)
        finally:
            process.terminate()
            process.wait()


def _addresses(process: subprocess.Popen[bytes], place: Path) -> dict[str, str]:
    def is_ready() -> bool:
        if process.poll() is not None:
            said = (place / "output").read_text(errors="replace")[-2000:]
            raise UserError(f"surgeline up ended with {process.returncode}: {said}")
        found = running_stack(place / "var")
        try:
            ready = found and httpx.get(f"{found.urls['api']}/ready", timeout=10).json()
        except httpx.HTTPError:
            return False
        return bool(ready and ready["status"] == "ready")

    _wait(is_ready, "surgeline up to be ready")
    found = running_stack(place / "var")
    assert found is not None  # noqa: S101 - it was just ready
    return found.urls


def _act(api: str, broker: str) -> None:
    """Replay engines until there are alarms, and do what operators do about them."""
    with httpx.Client(base_url=f"{api}/api/v1", timeout=30) as client:
        replay = {"dataset": "SIM", "split": "test", "engines": ENGINES, "speed": "max", "seed": 7}
        client.post("/replays", json=replay).raise_for_status()
        asyncio.run(_say_nonsense(KafkaSettings(bootstrap_servers=broker)))
        _wait(lambda: _is_over(client), "a replay that is over, with its alarms")
        first, second, third, *_ = client.get("/alarms").json()["items"]
        note = {"operator": "anna", "note": "oil sample ordered"}
        client.post(f"/alarms/{first['alarm_id']}/acknowledge", json=note).raise_for_status()
        shelf = {"operator": "ben", "reason": "parts are ordered", "duration_s": 3600}
        client.post(f"/alarms/{second['alarm_id']}/shelve", json=shelf).raise_for_status()
        plan = {
            "asset_id": third["asset_id"],
            "ends_at": (datetime.now(UTC) + timedelta(hours=8)).isoformat(),
            "reason": "borescope inspection",
            "operator": "anna",
        }
        client.post("/maintenance", json=plan).raise_for_status()


async def _say_nonsense(settings: KafkaSettings) -> None:
    """Send what cannot be used, so that a dead letter is seen."""
    async with started(make_producer(settings), settings) as producer:
        topic = Topics(settings.topic_prefix).readings
        await producer.send_and_wait(topic, b'{"asset_id": "P-103", "cycle":', key=b"P-103")


def _is_over(client: httpx.Client) -> bool:
    states = [each["state"] for each in client.get("/replays").json()["items"]]
    alarms = client.get("/alarms").json()["items"]
    letters = client.get("/dead-letters").json()["items"]
    return states == ["done"] and len(alarms) >= LEAST_ALARMS and bool(letters)


def _photograph(browser: Browser, api: str, shape: Shape, folder: Path) -> None:
    context = browser.new_context(
        viewport={"width": shape.width, "height": shape.height},
        color_scheme="dark" if shape.scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    worst = httpx.get(f"{api}/api/v1/alarms", timeout=30).json()["items"][0]["asset_id"]
    for name, path in {
        "fleet": "fleet",
        "machine": f"machine/{worst}",
        "alarms": "alarms",
        "maintenance": "maintenance",
        "replay": "replay",
        "whatif": "whatif",
        "health": "health",
    }.items():
        page.goto(f"{api}/#/{path}")
        _settle(page)
        if name == "whatif":
            _raise_the_threshold(page)
        _take(page, folder, name, shape, whole=name in ("machine", "health", "replay"))
    page.goto(f"{api}/#/alarms")
    _settle(page)
    for _ in range(4):  # the first are those that were acted on
        page.keyboard.press("j")
    page.keyboard.press("s" if shape.width > shape.height else "v")
    page.get_by_role("dialog").wait_for()
    _take(page, folder, "dialog", shape)
    context.close()


def _photograph_series(browser: Browser, place: Path, folder: Path) -> None:
    """Photograph a series with a true anomaly, learned, replayed and judged as any other."""
    _write_series(place / SUBFOLDER)
    variables = {
        "SURGELINE_DATA_DIR": str(place),
        "SURGELINE_FLEETS": str(place / "var" / "artifacts" / "telemetry.toml"),
        "SURGELINE_VAR_DIR": str(place / "var"),
    }
    _surgeline(["train", "--dataset", "SMAP,MSL"], variables)
    with _stack(place, variables) as urls:
        _surgeline(["replay", "--dataset", "SMAP", "--speed", "max"], variables)

        def is_judged() -> bool:
            asked: dict[str, str | int] = {"asset_id": "A-1", "status": "scored", "limit": 1}
            found = httpx.get(f"{urls['api']}/api/v1/scores", params=asked, timeout=30).json()
            return bool(found["items"]) and found["items"][0]["cycle"] == SERIES_ROWS

        _wait(is_judged, "a series that is judged")
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(f"{urls['api']}/#/machine/A-1")
        _settle(page)
        _take(page, folder, "series", SHAPES[0], whole=True)
        context.close()


def _write_series(folder: Path) -> None:
    """Write two series in the publisher's layout: waves, and in the test one stands still."""
    rng = np.random.default_rng(0)
    lines = ["chan_id,spacecraft,anomaly_sequences,class,num_values"]
    for name, spacecraft, columns, period in (("A-1", SMAP, 25, 60), ("M-6", MSL, 55, 45)):
        for split in ("train", "test"):
            values = (rng.random((SERIES_ROWS, columns)) < 0.02).astype(np.float64)
            wave = np.sin(np.arange(SERIES_ROWS) * 2 * np.pi / period)
            if split == "test":
                wave[slice(*SERIES_ANOMALY)] = wave[SERIES_ANOMALY[0]]
            values[:, 0] = wave + 0.05 * rng.normal(size=SERIES_ROWS)
            (folder / split).mkdir(parents=True, exist_ok=True)
            np.save(folder / split / f"{name}.npy", values)
        spans = f"[[{SERIES_ANOMALY[0]}, {SERIES_ANOMALY[1] - 1}]]"
        lines.append(f'{name},{spacecraft},"{spans}",[contextual],{SERIES_ROWS}')
    (folder / LABELS_FILE).write_text("\n".join(lines) + "\n")


def _surgeline(words: list[str], variables: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "deploy.cli", *words]
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UserError(f"surgeline {words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")


def _raise_the_threshold(page: Page) -> None:
    number = page.get_by_label("Warning from a score of, as a number")
    number.fill(f"{1.3 * float(number.input_value()):.3f}")
    page.get_by_role("heading", level=1).click()  # leaves the field, and no ring on the next one
    _settle(page)


def _settle(page: Page) -> None:
    """Wait until a page has what it asked for, and has drawn it."""
    page.get_by_role("heading", level=1).first.wait_for(state="attached")
    page.get_by_text(re.compile("^(Loading|Judging)")).first.wait_for(state="hidden")
    page.wait_for_timeout(FIRST_LOOK_MS)


def _take(page: Page, folder: Path, name: str, shape: Shape, *, whole: bool = False) -> None:
    path = folder / f"console-{name}-{shape.width}.png"
    page.screenshot(path=path, full_page=whole)
    with Image.open(path) as taken:
        small = _with_few_colours(taken.convert("RGB"))
    small.save(path, optimize=True)
    print(path)  # noqa: T201 - said to whoever asked for it


def _with_few_colours(picture: Image.Image) -> Image.Image:
    """Return a picture in its 256 most frequent colours: a third of the bytes.

    Those are exact: an average would tint what is plain.
    """
    counts = picture.getcolors(maxcolors=picture.width * picture.height) or []
    frequent = [colour for _, colour in sorted(counts, reverse=True)[:256]]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in frequent for part in cast(tuple[int, ...], colour)])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def _wait(is_so: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end:
            raise UserError(f"Waited {PATIENCE_S:g} s for {what}, in vain.")
        time.sleep(LOOK_S)


if __name__ == "__main__":
    typer.run(main)

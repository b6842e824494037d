"""Windows scored in a real process beside the worker's: the same scores, whatever becomes of it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, is_dataclass, replace
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detector.adapters.scoring import beside
from detector.adapters.scoring.beside import MANY_WINDOWS, ScoringBeside
from detector.adapters.scoring.child import serve
from detector.adapters.scoring.link import Asked, receive, send
from detector.adapters.scoring.running import ScoringEndedError, ScoringProcess, pieces
from detector.delivery.scoring import ScoringHere
from detector.ports import ToScore
from models.artifact.opening import Recipe, open_scorer, recipe_of
from models.artifact.store import Artifact, load_artifact
from models.scoring.history import AGE_UNKNOWN, trail_width
from models.scoring.scorer import WindowScorer, WindowScores
from tests.support.builders import MeanScorer
from tests.support.servers.backends import wait_until

MODELS = ("fd001", "fd002")
MANY = MANY_WINDOWS + 44


@cache
def model(name: str) -> WindowScorer:
    return open_scorer(load_artifact(name))


def windows_of(scorer: WindowScorer, count: int, seed: int = 1) -> NDArray[np.float32]:
    shape = (count, scorer.spec.window_length, len(scorer.spec.channels))
    return np.random.default_rng(seed).normal(0, 3, shape).astype(np.float32)


def work_of(name: str, count: int, seed: int = 1, *, followed: bool = False) -> ToScore:
    scorer = model(name)
    windows = windows_of(scorer, count, seed)
    if not followed:
        return ToScore(scorer, windows, None)
    trail = np.abs(np.random.default_rng(seed).normal(0, 9, (count, trail_width(windows.shape[2]))))
    trail[:, 0] = 30 + np.arange(count)
    trail[::2, 1] = AGE_UNKNOWN
    return ToScore(scorer, windows, trail)


def bits(value: object) -> object:
    """Return what a value is, each array of it as its bytes."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if is_dataclass(value):
        return {field.name: bits(getattr(value, field.name)) for field in fields(value)}
    return tuple(map(bits, value)) if isinstance(value, tuple) else value


def same(came: Sequence[WindowScores], work: Sequence[ToScore]) -> bool:
    """Return whether scores are those of the same scorers here, to the bit."""
    due = [item.scorer.score(item.windows, item.trail) for item in work]
    return [bits(each) for each in came] == [bits(each) for each in due]


@asynccontextmanager
async def ready(work: Sequence[ToScore], idle_s: float = 60.0) -> AsyncIterator[ScoringBeside]:
    """Give a place beside that has its process."""
    async with ScoringBeside(ScoringHere(), idle_s) as scoring:
        await begun(scoring, work)
        yield scoring


async def begun(scoring: ScoringBeside, work: Sequence[ToScore]) -> int:
    await scoring.score(work)
    await until(lambda: scoring.pid is not None)
    assert scoring.pid is not None
    return scoring.pid


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def is_there(pid: int | None) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture(scope="module")
def process() -> Iterator[ScoringProcess]:
    running = ScoringProcess()
    yield running
    running.end()


@settings(max_examples=25, deadline=None)
@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from(MODELS),
            st.sampled_from([0, 1, 2, 47, 48, 49, 255, 256, 257, 700]),
            st.booleans(),
        ),
        max_size=4,
    ),
    seed=st.integers(0, 9),
)
def test_scores_are_those_of_here_to_the_bit(
    process: ScoringProcess, calls: list[tuple[str, int, bool]], seed: int
) -> None:
    work = [work_of(name, count, seed, followed=followed) for name, count, followed in calls]

    assert same(process.score(work), work)


def test_fleets_that_share_a_model_are_scored_as_one(
    process: ScoringProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Asked] = []

    def watched(link: Connection, value: Asked) -> None:
        sent.append(value)
        send(link, value)

    monkeypatch.setattr("detector.adapters.scoring.running.send", watched)
    sizes = (3, 0, 260, 40)
    work = [work_of("fd001", size, size, followed=True) for size in sizes]
    work.insert(2, work_of("fd002", 5))
    work.append(work_of("fd001", 7))

    assert same(process.score(work), work)
    assert [len(windows) for asked in sent for _, windows, _ in asked.windows] == [303, 5, 7]


@given(
    sizes=st.lists(st.integers(0, 40), max_size=5),
    most_windows=st.integers(1, 50),
    followed=st.booleans(),
)
def test_work_is_cut_in_pieces_without_a_loss(
    sizes: list[int], most_windows: int, followed: bool
) -> None:
    scorer = MeanScorer()
    windows = [windows_of(scorer, size, seed) for seed, size in enumerate(sizes)]
    trails = [np.arange(5.0 * size).reshape(size, 5) if followed else None for size in sizes]
    work = [ToScore(scorer, *each) for each in zip(windows, trails, strict=True)]
    each = windows_of(scorer, 1).nbytes

    cut = list(pieces(work, most_windows * each))

    for number, item in enumerate(work):
        parts = [part for piece in cut for place, part in piece if place == number]
        assert np.array_equal(np.concatenate([part.windows for part in parts]), item.windows)
        if item.trail is not None:
            found = [part.trail for part in parts if part.trail is not None]
            assert np.array_equal(np.concatenate(found), item.trail)
    assert [place for piece in cut for place, _ in piece] == sorted(
        place for piece in cut for place, _ in piece
    )
    assert all(sum(len(part.windows) for _, part in piece) <= most_windows for piece in cut)
    assert len(cut) <= 1 + sum(sizes) // most_windows


def test_many_windows_go_in_pieces_and_the_scores_are_the_same(
    process: ScoringProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = [work_of("fd001", 700, followed=True), work_of("fd002", 0), work_of("fd002", 300)]
    monkeypatch.setattr(
        "detector.adapters.scoring.running.pieces",
        lambda work: pieces(work, 256 * work[0].windows[:1].nbytes),
    )

    assert same(process.score(work), work)


def test_windows_that_do_not_lie_in_order_are_sent_all_the_same(process: ScoringProcess) -> None:
    whole = windows_of(model("fd001"), 600)
    work = [ToScore(model("fd001"), whole[::-2], None), ToScore(model("fd001"), whole[3:9], None)]

    assert same(process.score(work), work)


def test_whoever_asks_side_by_side_gets_his_own_answer(process: ScoringProcess) -> None:
    found: dict[int, bool] = {}

    def ask(number: int) -> None:
        for turn in range(4):
            work = [work_of(MODELS[(number + turn) % 2], 90 * number + turn, seed=number)]
            found[10 * number + turn] = same(process.score(work), work)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(found) == 20
    assert all(found.values())


def test_what_a_scorer_raises_there_is_raised_here_and_the_process_serves_on(
    process: ScoringProcess,
) -> None:
    scorer = model("fd001")
    bad = windows_of(scorer, 10)
    bad[3, 2, 1] = np.nan

    with pytest.raises(ValueError, match=r"finite") as there:
        process.score([ToScore(scorer, bad, None)])
    with pytest.raises(ValueError, match=r"finite") as here:
        scorer.score(bad)

    assert str(there.value) == str(here.value)
    work = [work_of("fd001", 20)]
    assert same(process.score(work), work)


class OddError(Exception):
    """Comes with a number, and cannot be made of words alone."""

    def __init__(self, number: int, *, word: str) -> None:
        super().__init__(f"{word} {number}")


@pytest.mark.parametrize(
    ("raised", "came"),
    [
        (ValueError("no number"), ValueError("no number")),
        (MemoryError(), MemoryError()),
        (OddError(3, word="times"), RuntimeError("OddError: times 3")),
    ],
)
def test_whatever_a_scorer_raises_can_be_told(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, came: Exception
) -> None:
    def opened(artifact: Artifact, threads: int) -> WindowScorer:
        def score(*_: object) -> WindowScores:
            raise raised

        return cast(WindowScorer, SimpleNamespace(score=score))

    monkeypatch.setattr("detector.adapters.scoring.child.open_scorer", opened)

    answer = exchanged(Asked([(1, windows_of(model("fd001"), 2), None)], {1: recipe("fd001")}))

    assert (type(answer), str(answer)) == (type(came), str(came))


async def test_a_model_that_cannot_be_opened_there_is_done_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(scorer: WindowScorer) -> Recipe:
        return recipe("fd001")._replace(artifact=replace(recipe("fd001").artifact, network=b"no"))

    work = [work_of("fd001", MANY)]
    async with ready(work) as scoring:
        pid = scoring.pid
        monkeypatch.setattr("detector.adapters.scoring.running.recipe_of", broken)
        other = [ToScore(open_scorer(load_artifact("fd001")), work[0].windows, None)]

        assert same(await scoring.score(other), other)
        assert scoring.pid is None
        await until(lambda: not is_there(pid))
    assert "cannot be opened" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_that_end_a_group_of_processes_leave_it_to_the_worker(
    process: ScoringProcess, number: signal.Signals
) -> None:
    os.kill(process.pid, number)

    work = [work_of("fd001", 20)]
    assert same(process.score(work), work)


def test_who_waits_is_told_when_the_process_is_killed_and_why() -> None:
    running = ScoringProcess()
    running.score([work_of("fd001", 1)])
    os.kill(running.pid, signal.SIGSTOP)  # so that it cannot answer before it is killed
    killing = threading.Timer(0.3, os.kill, (running.pid, signal.SIGKILL))
    killing.start()

    with pytest.raises(ScoringEndedError, match=r"signal 9"):
        running.score([work_of("fd001", 50)])
    with pytest.raises(ScoringEndedError, match=r"signal 9"):
        running.score([work_of("fd001", 50)])
    running.end()


def test_the_process_ends_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    program = (
        "import pathlib, sys, time\n"
        "from detector.adapters.scoring.running import ScoringProcess\n"
        "running = ScoringProcess()\n"
        "from models.artifact.opening import open_scorer\n"
        "from models.artifact.store import load_artifact\n"
        "from detector.ports import ToScore\n"
        "import numpy as np\n"
        "scorer = open_scorer(load_artifact('fd001'))\n"
        "running.score([ToScore(scorer, np.zeros((1, 30, 14), np.float32), None)])\n"
        "pathlib.Path(sys.argv[1]).write_text(f'{running.pid}.')\n"
        "time.sleep(600)\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", program, str(told)])
    try:
        wait_until(lambda: told.exists() and told.read_text().endswith("."), "it has started")
        pid = int(told.read_text()[:-1])
    finally:
        worker.kill()
        worker.wait()

    wait_until(lambda: not is_there(pid), "it has ended too")


def test_the_process_knows_none_of_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURGELINE_REDIS__URL", "redis://:secret@cache")
    running = ScoringProcess()
    try:
        running.score([work_of("fd001", 1)])
        environment = Path(f"/proc/{running.pid}/environ").read_bytes()
    finally:
        running.end()

    assert b"PYTHONPATH" in environment
    assert b"SURGELINE_" not in environment


def test_models_nobody_has_any_more_are_forgotten_there() -> None:
    windows = windows_of(model("fd001"), 2)

    known, forgotten = exchanged_all(
        Asked([(7, windows, None)], opened={7: recipe("fd001")}),
        Asked([(7, windows, None)], gone=[7]),
    )

    assert isinstance(known, list)
    assert isinstance(forgotten, KeyError)


def recipe(name: str) -> Recipe:
    found = recipe_of(model(name))
    assert found is not None
    return found


def exchanged(asked: Asked) -> object:
    (answer,) = exchanged_all(asked)
    return answer


def exchanged_all(*asked: Asked) -> list[object]:
    """Return what is answered by what runs in the process, run here in a thread."""
    ours, theirs = socket.socketpair()
    serving = threading.Thread(target=_served, args=(Connection(theirs.detach()),))
    serving.start()
    found = []
    with Connection(ours.detach()) as link:
        for each in asked:
            send(link, each)
            found.append(receive(link))
    serving.join(10)
    assert not serving.is_alive()
    return found


def _served(link: Connection) -> None:
    with link, pytest.raises(EOFError):
        serve(link)


def test_a_worker_says_which_models_it_has_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Asked] = []
    running = ScoringProcess()

    def watched(link: Connection, value: Asked) -> None:
        sent.append(value)
        send(link, value)

    monkeypatch.setattr("detector.adapters.scoring.running.send", watched)
    old, new = (open_scorer(load_artifact("fd001")) for _ in range(2))
    windows = windows_of(old, 3)
    try:
        running.score([ToScore(old, windows, None)])
        running.score([ToScore(old, windows, None)])
        del old
        gc.collect()
        running.score([ToScore(new, windows, None)])
    finally:
        running.end()

    assert [list(asked.opened) for asked in sent] == [[0], [], [1]]
    assert [list(asked.gone) for asked in sent] == [[], [], [0]]


async def test_few_windows_and_models_that_are_parts_are_scored_here() -> None:
    class Here(ScoringHere):
        calls = 0

        async def score(self, work: Sequence[ToScore]) -> Sequence[WindowScores]:
            self.calls += 1
            return await super().score(work)

    async with ScoringBeside(here := Here()) as scoring:
        few = [work_of("fd001", MANY_WINDOWS - 1)]
        assert same(await scoring.score(few), few)
        other = MeanScorer()
        part = [
            work_of("fd001", MANY),
            ToScore(other, windows_of(other, MANY), None),
        ]
        assert same(await scoring.score(part), part)
        assert same(await scoring.score([]), [])
        assert scoring.pid is None
        assert here.calls == 3

        many = [work_of("fd001", MANY)]
        await begun(scoring, many)
        assert same(await scoring.score(many), many)
        assert here.calls == 4, "it was scored here although a process is there"


async def test_a_process_that_is_killed_is_replaced_and_meanwhile_windows_are_scored_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(beside, "REST_S", 0.2)
    work = [work_of("fd001", 3000), work_of("fd002", 500)]
    async with ready(work) as scoring:
        first = scoring.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        asked = asyncio.create_task(scoring.score(work))
        await asyncio.sleep(0.2)
        os.kill(first, signal.SIGKILL)

        assert same(await asked, work)
        assert scoring.pid is None
        assert same(await scoring.score(work), work)
        await asyncio.sleep(0.3)
        second = await begun(scoring, work)
        assert second != first
        assert same(await scoring.score(work), work)
    assert "signal 9" in capsys.readouterr().out


async def test_a_process_that_does_not_answer_is_done_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = [work_of("fd001", 3000)]
    async with ready(work) as scoring:
        pid = scoring.pid
        assert pid is not None
        monkeypatch.setattr(beside, "ANSWER_S", 0.3)
        os.kill(pid, signal.SIGSTOP)

        first, second = await asyncio.gather(scoring.score(work), scoring.score(work))

        assert same(first, work)
        assert same(second, work)
        assert scoring.pid is None
        await until(lambda: not is_there(pid))
    assert "has not answered" in capsys.readouterr().out


async def test_a_process_that_cannot_be_started_is_done_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    work = [work_of("fd001", MANY)]

    async with ScoringBeside(ScoringHere()) as scoring:
        for _ in range(3):
            assert same(await scoring.score(work), work)
            await asyncio.sleep(0.1)
        assert scoring.pid is None
    assert capsys.readouterr().out.count("cannot be started") == 1


async def test_a_process_that_nobody_asks_ends_and_another_is_there_when_somebody_does() -> None:
    work = [work_of("fd001", MANY)]
    async with ready(work, idle_s=0.5) as scoring:
        first = scoring.pid
        await until(lambda: scoring.pid is None)
        assert same(await scoring.score(work), work)
        assert await begun(scoring, work) != first


async def test_leaving_ends_the_process_whatever_it_does() -> None:
    work = [work_of("fd001", MANY)]
    async with ready(work) as scoring:
        pid = scoring.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        asked = asyncio.create_task(scoring.score(work))
        await asyncio.sleep(0.2)

    assert not is_there(pid)
    assert same(await asked, work)


async def test_leaving_while_it_starts_leaves_nothing_behind() -> None:
    before = set(_children())

    async with ScoringBeside(ScoringHere()) as scoring:
        await scoring.score([work_of("fd001", MANY)])

    wait_until(lambda: set(_children()) <= before, "no process is left")


def _children() -> list[str]:
    tasks = Path("/proc/self/task").glob("*/children")
    return [pid for task in tasks for pid in task.read_text().split()]

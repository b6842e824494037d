"""Which exit code an end has, and that the deadline holds. Real ends are in tests/faults."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from common.errors import ArtifactError, BackendMissingError, BackendRefusedError
from detector.worker import ending as module
from detector.worker.ending import Ending


class End:
    """Stands for the end of the process."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.came = threading.Event()

    def __call__(self, code: int) -> None:
        self.code = code
        self.came.set()


@pytest.fixture
def end(monkeypatch: pytest.MonkeyPatch) -> End:
    monkeypatch.setattr(module, "LEAVE_S", 0.05)
    monkeypatch.setattr(module, "CLOSE_S", 0.05)
    return End()


NewEnding = Callable[..., Ending]


@pytest.fixture
def new_ending(end: End) -> Iterator[NewEnding]:
    """Makes endings whose deadline is watched; signals are left to pytest."""
    made: list[tuple[Ending, threading.Thread]] = []

    def make(grace_s: float = 0.0) -> Ending:
        ending = Ending(grace_s, end)
        thread = threading.Thread(target=ending._watch)
        thread.start()
        made.append((ending, thread))
        return ending

    yield make
    for ending, thread in made:
        ending._end_within(0.0)
        thread.join()
        ending._reader.close()
        ending._writer.close()


@pytest.mark.parametrize(
    ("exc", "serving", "code"),
    [
        pytest.param(ArtifactError("no such model"), False, 2, id="a person must mend it"),
        pytest.param(BackendMissingError("no broker"), False, 2, id="no broker to begin with"),
        pytest.param(BackendMissingError("no broker"), True, 1, id="the broker went away"),
        pytest.param(BackendRefusedError("wrong token"), False, 1, id="a backend refuses"),
        pytest.param(RuntimeError("a defect"), True, 1, id="a defect"),
        pytest.param(asyncio.CancelledError(), True, 1, id="what it waited for was cancelled"),
    ],
)
def test_the_exit_code_tells_a_mistake_from_a_crash(
    new_ending: NewEnding, exc: BaseException, serving: bool, code: int
) -> None:
    async def worker() -> None:
        if serving:
            ending.serving()
        raise exc

    ending = new_ending()

    assert ending.run(worker) == code


def test_the_first_failure_is_the_one_that_counts(new_ending: NewEnding) -> None:
    async def worker() -> None:
        ending.fails(ArtifactError("no such model"))
        raise RuntimeError("while it was closing")

    ending = new_ending()

    assert ending.run(worker) == 2


def test_a_worker_that_ends_in_time_is_not_ended_by_force(end: End, new_ending: NewEnding) -> None:
    async def worker() -> None:
        await asyncio.sleep(0)

    assert new_ending().run(worker) == 0
    assert not end.came.wait(0.2)


def test_a_failure_that_does_not_come_to_its_end_is_ended_by_force(
    end: End, new_ending: NewEnding
) -> None:
    ending = new_ending(grace_s=3600)

    ending.fails(RuntimeError("a defect"))

    assert end.came.wait(10)
    assert end.code == 1


def test_the_second_signal_ends_the_grace(end: End, new_ending: NewEnding) -> None:
    heard: list[int] = []
    ending = new_ending(grace_s=3600)
    ending.listen(heard.append)

    ending._writer.send(bytes([signal.SIGTERM]))
    assert not end.came.wait(0.3)
    ending._writer.send(bytes([signal.SIGTERM]))

    assert end.came.wait(10)
    assert end.code == 1
    assert heard == [1, 2]

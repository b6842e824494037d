"""Do the tests notice a planted defect? Small changes to the source, one at a time.

    python -m bench.trials.mutants [--files GLOB ...] [--sample 20] [--seed 1] [--jobs 2]
                            [--at-least 0.95] [--json report.json]

For each file a seeded sample of its mutations (``mutations.py``) is planted in a copy of the tree,
each alone, and the file's own tests (``subjects.toml``) run on it. A mutant that no test notices
survives, and is printed. Those that change nothing anyone could notice are listed with a reason in
``equivalent.toml``, and not counted. Exit code 1 when of some file's sample fewer than
``--at-least`` die; 2 when the tests fail without any defect.

Written here because the libraries fit worse: mutmut mutates functions alone, hence no constant of
the wire, and cannot sample; cosmic-ray has one test command a session and changes files in place.
"""

from __future__ import annotations

import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.trials.mutants.mutations import Mutation, mutations_of, statements_of

ROOT: Final = Path(__file__).parents[3]
COPIED: Final = (
    "api", "bench", "common", "deploy", "detector", "models", "producer", "surgeline", "tests",
    "docs", "pyproject.toml", "README.md",
)  # fmt: skip
LEAST_TIMEOUT_S: Final = 60.0
PATIENCE: Final = 8.0
"""A mutant may take this many times as long as the tests without a defect: machines are shared."""

SHOWN: Final = 110
"""Characters of a changed statement that are printed, around the change."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A source file and the tests that must notice what is wrong in it."""

    file: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutation that changes nothing anyone could notice.

    Attributes:
        file: Where.
        was: The statement.
        becomes: The statement after the change.
        why: In one sentence.
    """

    file: str
    was: str
    becomes: str
    why: str


@dataclass(slots=True)
class Result:
    """What became of one file's sample.

    Attributes:
        file: Which.
        possible: Mutations there are.
        tried: Mutations planted.
        killed: Those that a test noticed, or that never came to an end.
        survivors: Those that none noticed.
        equivalent: Those of the sample that are argued not to matter; not tried.
    """

    file: str
    possible: int
    tried: int = 0
    killed: int = 0
    survivors: list[dict[str, object]] = field(default_factory=list)
    equivalent: list[Equivalent] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Part of the planted that were noticed."""
        return self.killed / self.tried if self.tried else 1.0


class TestsFailError(Exception):
    """The tests fail without a defect, or there are none: nothing can be learnt from a defect."""


class Trees:
    """Copies of the source tree, one for each job."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self._free: queue.Queue[Path] = queue.Queue()
        self._stamps = count(1_000_000_000)
        for number in range(jobs):
            tree = folder / f"tree-{number}"
            tree.mkdir()
            for name in COPIED:
                _copy(ROOT / name, tree / name)
            self._free.put(tree)

    @contextmanager
    def with_text(self, file: str, text: str) -> Iterator[Path]:
        """Lend a tree in which a file has another text."""
        tree = self._free.get()
        original = (tree / file).read_bytes()
        try:
            self._write(tree / file, text.encode())
            yield tree
        finally:
            self._write(tree / file, original)
            self._free.put(tree)

    def _write(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        stamp = next(self._stamps)  # a compiled file is known by size and second alone
        os.utime(path, (stamp, stamp))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "var"))
    else:
        shutil.copy(source, target)


def run_tests(tree: Path, tests: Sequence[str], seed: int, timeout_s: float) -> str:
    """Run tests in a tree, and return what they said if they fail, or do not end; else nothing."""
    command = [
        sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider",
        f"--hypothesis-seed={seed}", *tests,
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # so that servers of a test that hangs end with it
    )
    try:
        said, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return f"not done after {timeout_s:.0f} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return "" if process.returncode == 0 else said.decode(errors="replace")[-2000:] or "failed"


class Campaign:
    """One run over some files."""

    def __init__(self, trees: Trees, seed: int, equivalent: Sequence[Equivalent]) -> None:
        self._trees = trees
        self._seed = seed
        self._equivalent = {(item.file, item.was, item.becomes): item for item in equivalent}

    def chosen(self, subject: Subject, sample: int) -> tuple[Result, list[Mutation]]:
        """Return a file's empty result, and the mutations to plant: a sample, or all for 0."""
        every = mutations_of((ROOT / subject.file).read_text(encoding="utf-8"))
        chance = random.Random(f"{self._seed} {subject.file}")
        picked = chance.sample(every, min(sample, len(every))) if sample else every
        result = Result(subject.file, len(every))
        planted = []
        for item in sorted(picked, key=lambda item: item.line):
            known = self._equivalent.get((subject.file, item.was, item.becomes))
            if known is None:
                planted.append(item)
            else:
                result.equivalent.append(known)
        return result, planted

    def patience(self, subject: Subject) -> float:
        """Return how long a mutant may take, s.

        Raises:
            TestsFailError: If the tests fail without a defect.
        """
        began = time.monotonic()
        text = (ROOT / subject.file).read_text(encoding="utf-8")
        with self._trees.with_text(subject.file, text) as tree:
            if said := run_tests(tree, subject.tests, self._seed, 10 * LEAST_TIMEOUT_S):
                raise TestsFailError(f"{subject.file}: its tests fail without a defect: {said}")
        return max(LEAST_TIMEOUT_S, PATIENCE * (time.monotonic() - began))

    def survives(self, subject: Subject, mutation: Mutation, timeout_s: float) -> bool:
        """Return whether no test notices a mutation."""
        with self._trees.with_text(subject.file, mutation.source) as tree:
            return not run_tests(tree, subject.tests, self._seed, timeout_s)


def subjects(patterns: Sequence[str]) -> list[Subject]:
    """Return the files with their tests, those that match a pattern, or all for none.

    Raises:
        BadParameter: If a pattern matches no file that has tests of its own.
    """
    known: dict[str, list[str]] = tomllib.loads(
        (ROOT / "bench/trials/mutants/subjects.toml").read_text()
    )["tests"]
    unmatched = [one for one in patterns if not any(Path(file).match(one) for file in known)]
    if unmatched:
        raise typer.BadParameter(
            f"{', '.join(unmatched)}: none of the files in bench/trials/mutants/subjects.toml"
        )
    return [
        Subject(file, tuple(tests))
        for file, tests in known.items()
        if not patterns or any(Path(file).match(one) for one in patterns)
    ]


def equivalents() -> list[Equivalent]:
    """Return the mutations that are argued not to matter.

    Raises:
        BadParameter: If one is not a mutation of its file any more.
    """
    text = (ROOT / "bench/trials/mutants/equivalent.toml").read_text(encoding="utf-8")
    found = [Equivalent(**item) for item in tomllib.loads(text).get("mutant", [])]
    for file in sorted({item.file for item in found}):
        possible = statements_of((ROOT / file).read_text("utf-8"))
        for item in found:
            if item.file == file and (item.was, item.becomes) not in possible:
                raise typer.BadParameter(
                    f"bench/trials/mutants/equivalent.toml: {file} has no such mutation now: "
                    f"{item.was} -> {item.becomes}"
                )
    return found


def shortened(was: str, becomes: str) -> tuple[str, str]:
    """Return both statements, of long ones the part around the change."""
    pairs = enumerate(zip(was, becomes, strict=False))
    same = next((at for at, (one, two) in pairs if one != two), min(len(was), len(becomes)))
    begin = max(0, same - SHOWN // 2)
    cut = "…" if begin else ""

    def part(text: str) -> str:
        end = begin + SHOWN
        return cut + text[begin:end] + ("…" if len(text) > end else "")

    return part(was), part(becomes)


def tell(console: Console, result: Result, at_least: float) -> None:
    """Print a file's line, its survivors, and what was not tried."""
    enough = result.rate >= at_least
    console.print(
        f"{'  ' if enough else '✗ '}{result.file:48}{result.killed:>4}/{result.tried:<4}"
        f"{result.rate:>6.0%}   of {result.possible} possible"
    )
    for one in result.survivors:
        was, becomes = shortened(str(one["was"]), str(one["becomes"]))
        console.print(f"      {result.file}:{one['line']}  survived ({one['kind']})")
        console.print(f"        - {was}\n        + {becomes}")
    for item in result.equivalent:
        was, becomes = shortened(item.was, item.becomes)
        console.print(f"      equivalent: {item.why}\n        - {was}\n        + {becomes}")


def run(
    campaign: Campaign, chosen: Sequence[Subject], sample: int, jobs: int, console: Console
) -> Iterator[Result]:
    """Plant each file's sample, and yield what became of it."""
    planned = [(subject, *campaign.chosen(subject, sample)) for subject in chosen]
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(jobs) as pool:
        task = progress.add_task("", total=sum(len(planted) for _, _, planted in planned))
        for subject, result, planted in planned:
            progress.update(task, description=subject.file)
            timeout_s = campaign.patience(subject) if planted else 0.0

            def survives(
                item: Mutation, subject: Subject = subject, timeout_s: float = timeout_s
            ) -> bool:
                return campaign.survives(subject, item, timeout_s)

            for item, alive in zip(planted, pool.map(survives, planted), strict=True):
                result.tried += 1
                result.killed += not alive
                if alive:
                    fields = asdict(item)
                    del fields["source"]
                    result.survivors.append(fields)
                progress.advance(task)
            yield result


def main(
    files: Annotated[list[str] | None, typer.Option(help="Which files; all if left out.")] = None,
    sample: Annotated[int, typer.Option(min=0, help="Mutants a file; 0 for all.")] = 20,
    seed: Annotated[int, typer.Option(help="Which sample.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Mutants at a time.")] = 2,
    at_least: Annotated[float, typer.Option(min=0, max=1, help="Part that must die.")] = 0.95,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Where to write the report.")
    ] = None,
) -> None:
    """Plant defects, and see whether tests notice."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))  # so that the copies are removed
    chosen = subjects(files or [])
    results = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        campaign = Campaign(Trees(Path(name), jobs), seed, equivalents())
        try:
            for result in run(campaign, chosen, sample, jobs, console):
                tell(console, result, at_least)
                results.append(result)
        except TestsFailError as exc:
            console.print(str(exc))
            sys.exit(2)
    tried, killed = sum(one.tried for one in results), sum(one.killed for one in results)
    console.print(f"{killed} of {tried} mutants died (seed {seed})")
    if json_path is not None:
        report = {"seed": seed, "files": [asdict(one) | {"rate": one.rate} for one in results]}
        json_path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    sys.exit(0 if all(one.rate >= at_least for one in results) else 1)

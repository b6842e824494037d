"""A section of the benchmark, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.suite.figures import Findings


@dataclass
class Context:
    """What a section may use.

    Attributes:
        quick: Small sizes and one round: to see that everything works, not for figures.
        tell: Shows what is done now, and moves the progress bar a step.
    """

    quick: bool = False
    tell: Callable[[str], None] = field(default=lambda _: None)

    @property
    def rounds(self) -> int:
        """How often what others disturb is measured."""
        return 1 if self.quick else 3

    @property
    def workers(self) -> dict[str, str]:
        """Settings of workers: of few readings, no batch may hold so many that a rate is lost."""
        return {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "250"} if self.quick else {}


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the benchmark, which can also run alone.

    Attributes:
        name: What `--only` calls it.
        title: A heading.
        about: What it measures, in a sentence.
        steps: How often it tells what it does.
        run: Measures.
    """

    name: str
    title: str
    about: str
    steps: Callable[[Context], int]
    run: Callable[[Context], Findings]

"""Summaries and counts from InfluxDB: the statements, and how their answers are read.

InfluxDB keeps no summary of ours; it counts, over the whole run, each time it is asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from common.records.ids import DEFAULT_FLEET
from common.records.verdicts import Level, LifeLeft, Verdict
from common.scorestore.influx.lines import ARRIVED_FIELD, LIFE_FIELDS
from common.scorestore.influx.queries import Series, identity, literal, select, ts_us_of
from common.scorestore.port import RunSummary
from common.scorestore.tally import RunTally, in_order
from common.topics import REPEAT_MEASUREMENT, SCORE_MEASUREMENT

READING_VERDICTS: Final = tuple(verdict for verdict in Verdict if not verdict.of_message)

NAMES_CHARS: Final = 2000
"""The names stand in each of a dozen statements of one address; servers take some 100 KB of it."""

_LIFE: Final = ", ".join(f'"{name}"' for name in LIFE_FIELDS)
_BY_RUN: Final = ' GROUP BY "asset_id", "run_id", "fleet"'


def select_names(asset_id: str | None, run_id: str | None, fleet: str | None = None) -> str:
    """Return the statement that lists the assets, answered by one series per measurement.

    The index answers it, and may still name assets of which no row is left.
    """
    terms = identity(asset_id, run_id, fleet)
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    return (
        f'SHOW TAG VALUES FROM "{SCORE_MEASUREMENT}", "{REPEAT_MEASUREMENT}" '
        f'WITH KEY = "asset_id"{where}'
    )


def names_of(series: Sequence[Series], after: str | None) -> list[str]:
    """Return the assets in the answer to :func:`select_names` beyond ``after``, in order."""
    found = {str(row[-1]) for one in series for row in one["values"]}
    return sorted(name for name in found if after is None or name > after)


def in_questions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut names into groups that are short enough for the address of one request."""
    group: list[str] = []
    for name in names:
        if group and sum(map(len, group)) + len(name) > NAMES_CHARS:
            yield group
            group = []
        group.append(name)
    if group:
        yield group


def any_of(names: Sequence[str]) -> str:
    """Return the term that picks some assets."""
    return "(" + " OR ".join(f'"asset_id" = {literal(name)}' for name in names) + ")"


def select_runs(
    asset_id: str | None,
    run_id: str | None,
    among: Sequence[str] = (),
    fleet: str | None = None,
) -> list[str]:
    """Return the statements that summarise runs, each answered by one series per (asset, run).

    In order: lowest cycle; highest cycle, with its time; highest scored cycle, with its score,
    level, severity and life; highest score; highest severity; last arrival; then those of
    :func:`select_counts`.
    With ``among``, of these assets only.
    """
    terms = _terms(asset_id, run_id, among, fleet)
    scored = [*terms, f'"status" = {literal(Verdict.SCORED.value)}']
    wanted = [
        ('MIN("cycle")', terms),
        ('MAX("cycle"), "ts_us"', terms),
        (f'MAX("cycle"), "score", "level", "severity", {_LIFE}', scored),
        ('MAX("score")', scored),
        ('MAX("severity")', scored),
        (f'MAX("{ARRIVED_FIELD}")', terms),
    ]
    selects = [select(fields, SCORE_MEASUREMENT, where) + _BY_RUN for fields, where in wanted]
    return [*selects, *select_counts(asset_id, run_id, among, fleet)]


def _terms(
    asset_id: str | None, run_id: str | None, among: Sequence[str], fleet: str | None
) -> list[str]:
    return [*identity(asset_id, run_id, fleet), *([any_of(among)] if among else [])]


def select_counts(
    asset_id: str | None,
    run_id: str | None,
    among: Sequence[str] = (),
    fleet: str | None = None,
) -> list[str]:
    """Return the counting statements: one per ``READING_VERDICTS``, then one for all repeats.

    Cycles are counted once each, so that a reading scored again by another model counts once.
    """
    terms = _terms(asset_id, run_id, among, fleet)
    counts = [
        select(
            'COUNT(DISTINCT("cycle"))',
            SCORE_MEASUREMENT,
            [*terms, f'"status" = {literal(verdict.value)}'],
        )
        for verdict in READING_VERDICTS
    ]
    repeats = select('COUNT("offset")', REPEAT_MEASUREMENT, terms)
    return [*(count + _BY_RUN for count in counts), f'{repeats}{_BY_RUN}, "status"']


def summaries_of(answers: Sequence[Sequence[Series]]) -> list[RunSummary]:
    """Return the summaries in the answers to :func:`select_runs`, ordered as the port says."""
    lowest, highest, last_scored, peak, peak_severity, arrived, *counts = answers
    tallies: defaultdict[tuple[str, str], RunTally] = defaultdict(RunTally)
    for series in [one for answer in counts for one in answer]:
        tallies[_run_of(series)].fleet = _fleet_of(series)
    for series in lowest:
        tally = tallies[_run_of(series)]
        # of which fleet a run is, its verdicts say; a repeat may claim another
        tally.first_cycle, tally.fleet = _only_row(series)[1], _fleet_of(series)
    for series in highest:
        tally = tallies[_run_of(series)]
        time_ns, tally.last_cycle, ts_us = _only_row(series)
        tally.last_ts_us = ts_us_of(time_ns, ts_us)
    for series in last_scored:
        tally = tallies[_run_of(series)]
        _, tally.last_scored_cycle, score, level, severity, *life = _only_row(series)
        tally.last_score, tally.last_level = float(score), Level(level)
        tally.last_severity = None if severity is None else float(severity)
        tally.last_life = None if life[0] is None else LifeLeft(*map(float, life))
    for series in peak:
        tallies[_run_of(series)].peak_score = float(_only_row(series)[1])
    for series in peak_severity:
        tallies[_run_of(series)].peak_severity = float(_only_row(series)[1])
    for series in arrived:
        tallies[_run_of(series)].arrived_ms = _only_row(series)[1]
    for run, verdicts in _counts_by_run(counts).items():
        for status, count in verdicts.items():
            tallies[run].count(status, count)
    return in_order(tally.summary(*run) for run, tally in tallies.items())


def counts_of(answers: Sequence[Sequence[Series]]) -> Counter[Verdict]:
    """Return the sums over all runs in the answers to :func:`select_counts`."""
    return sum(_counts_by_run(answers).values(), Counter[Verdict]())


def _counts_by_run(
    answers: Sequence[Sequence[Series]],
) -> dict[tuple[str, str], Counter[Verdict]]:
    found: defaultdict[tuple[str, str], Counter[Verdict]] = defaultdict(Counter)
    *readings, repeats = answers
    for verdict, answer in zip(READING_VERDICTS, readings, strict=True):
        for series in answer:
            found[_run_of(series)][verdict] = _only_row(series)[1]
    for series in repeats:
        found[_run_of(series)][Verdict(series["tags"]["status"])] += _only_row(series)[1]
    return found


def _run_of(series: Series) -> tuple[str, str]:
    return series["tags"]["asset_id"], series["tags"]["run_id"]


def _fleet_of(series: Series) -> str:
    return series["tags"].get("fleet") or DEFAULT_FLEET


def _only_row(series: Series) -> list[Any]:
    row: list[Any] = series["values"][0]
    return row

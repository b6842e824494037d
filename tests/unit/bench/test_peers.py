"""What the peers share scores as the batch path does, however readings are cut into batches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.peers.catalogue import PEERS
from bench.peers.http_scorer import as_scores
from bench.peers.pipeline import (
    Model,
    Reading,
    from_dict,
    open_database,
    read,
    stored_scores,
    write_rows,
)
from bench.support.messages import fleet_messages
from bench.support.windows import MODEL, batch_scores, check_scores, fleet

ENGINES = 2
MESSAGES = [value for _, value in fleet_messages(fleet(ENGINES), "bench")]


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(MODEL)


def taken(
    model: Model, batches: Sequence[Sequence[Reading]]
) -> tuple[dict[str, dict[int, float]], list[bytes]]:
    rings: dict[str, bytes] = {}
    scores: dict[str, dict[int, float]] = {}
    alerts: list[bytes] = []
    for readings in batches:
        found = model.score(model.cut(readings, rings, "test"))
        rings |= found.rings
        alerts += [value for _, value in found.alerts]
        for asset, _, cycle, _, score, *_ in found.rows:
            assert isinstance(asset, str)
            assert isinstance(cycle, int)
            assert isinstance(score, float)
            scores.setdefault(asset, {})[cycle] = score
    return scores, alerts


def named(alerts: Sequence[bytes]) -> list[tuple[str, int]]:
    """Whose they are and of which cycle; assets in a batch have no order among each other."""
    decoded = [json.loads(alert) for alert in alerts]
    return sorted((alert["asset_id"], alert["cycle"]) for alert in decoded)


@settings(max_examples=8, deadline=None)
@given(cuts=st.sets(st.integers(0, len(MESSAGES)), max_size=6), again=st.integers(0, 50))
def test_scores_are_those_of_the_batch_path_however_batches_are_cut(
    cuts: set[int], again: int
) -> None:
    model = Model(MODEL)
    readings = [read(message) for message in MESSAGES]
    edges = [0, *sorted(cuts), len(readings)]
    batches = [readings[a:b] for a, b in pairwise(edges) if a < b]

    scores, alerts = taken(model, [*batches, readings[-again - 1 :]])  # the end comes twice

    check_scores("the pipeline", scores, batch_scores(ENGINES))
    assert named(alerts) == named(taken(model, [readings])[1])
    assert {asset for asset, _ in named(alerts)} == set(scores)


def test_a_window_asked_for_over_http_has_the_same_score(model: Model) -> None:
    readings = [read(message) for message in MESSAGES]
    cut = model.cut(readings[:80], {}, "test")
    whole = model.scorer.score(cut.windows)
    answers = [
        {"score": score, "shares": shares, "directions": directions}
        for score, shares, directions in zip(
            whole.scores.tolist(), whole.shares.tolist(), whole.directions.tolist(), strict=True
        )
    ]

    found = model.concluded(cut, as_scores(json.loads(json.dumps(answers)), model.width))

    assert [row[4] for row in found.rows] == whole.scores.tolist()


def test_rows_come_back_as_they_were_written(model: Model, tmp_path: Path) -> None:
    found = model.score(model.cut([read(message) for message in MESSAGES], {}, "test"))
    database = open_database(tmp_path / "peer.db")
    write_rows(database, found.rows)
    write_rows(database, found.rows)  # a batch that comes again
    database.close()

    assert sorted(stored_scores(tmp_path / "peer.db")) == sorted(
        (row[0], row[2], row[4]) for row in found.rows
    )


def test_decoded_json_is_the_same_reading() -> None:
    assert from_dict(json.loads(MESSAGES[0])) == read(MESSAGES[0])


def test_every_peer_has_its_module() -> None:
    folder = Path(__file__).parents[3]

    assert [
        p.module for p in PEERS if not (folder / (p.module.replace(".", "/") + ".py")).exists()
    ] == []

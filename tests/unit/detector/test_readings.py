"""A batch's readings as a table are what they are one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from common.errors import InvalidRecordError
from common.records.verdicts import SourcePosition
from detector.core.pipeline import AssetRun, Decoded, decode_batch
from detector.core.policy import InputPolicy
from detector.core.reading.columns import PlacedReadings
from detector.core.reading.decoding import decode
from detector.core.reading.source import SourceRecord
from detector.core.reading.table import (
    cycles_of,
    fleets_said,
    heard_on,
    place_of,
    put_together,
    said_by,
)
from tests.support.builders import TOPIC, MeanScorer, fleets_of
from tests.support.streams import MAX_BYTES, streams

POLICY = InputPolicy(MAX_BYTES, bridge_cycles=0)
FLEETS = {
    name: fleets_of(MeanScorer(channels), POLICY)["default"]
    for name, channels in (("default", ("T24", "T30", "T50")), ("pumps", ("T24",)))
}


@st.composite
def batches(draw: st.DrawFn) -> list[SourceRecord]:
    """Messages of two fleets on two partitions, each asset at home on any of them."""
    records: list[SourceRecord] = []
    ends = [0, 0]
    for key, value in draw(streams):
        fleet = draw(st.sampled_from(["default", "default", "pumps"]))
        partition = draw(st.sampled_from([0, 0, 0, 1]))
        position = SourcePosition(TOPIC, partition, ends[partition])
        ends[partition] += draw(st.integers(1, 2))
        published = draw(st.sampled_from([0, 1_767_225_600_000, 1_700_000_000_000]))
        records.append(SourceRecord(position, published, key, of_fleet(value, fleet)))
    return records


def of_fleet(value: bytes | None, fleet: str) -> bytes | None:
    return value and value.replace(b'"default"', b'"%s"' % fleet.encode())


def one_by_one(records: Sequence[SourceRecord]) -> dict[AssetRun, list[Decoded]]:
    found: dict[AssetRun, list[Decoded]] = {}
    for record in records:
        try:
            reading = decode(record, FLEETS)
        except InvalidRecordError:
            continue
        found.setdefault((reading.asset_id, reading.run_id), []).append(Decoded(record, reading))
    return found


def in_bits(placed: PlacedReadings) -> list[object]:
    readings = placed.readings
    columns: list[NDArray[np.generic]] = [
        placed.counts, placed.partitions, placed.published_ts_ms,
        readings.offsets, readings.stamps, readings.clock_us, readings.rows,
    ]  # fmt: skip
    return [placed.topic, *((each.dtype, each.shape, each.tobytes()) for each in columns)]


def same(found: Mapping[AssetRun, Sequence[Decoded]]) -> str:
    return repr([(key, list(items)) for key, items in found.items()])


@settings(deadline=None, max_examples=100)
@given(records=batches())
def test_a_batch_is_what_its_records_are(records: list[SourceRecord]) -> None:
    found, expected = decode_batch(records, FLEETS).by_asset, one_by_one(records)

    assert same(found) == same(expected)
    for key, items in expected.items():
        many = found[key]
        assert len(many) == len(items)
        assert cycles_of(many) == cycles_of(items)
        assert repr(many[-1]) == repr(items[-1])
        assert repr(many[1:]) == repr(items[1:])
        assert list(fleets_said(many)) == list(fleets_said(items))
        assert set(heard_on(many)) == set(heard_on(items))
        assert [place_of(many, at) for at in (0, -1)] == [place_of(items, at) for at in (0, -1)]
        for fleet in FLEETS:
            assert repr([*map(list, said_by(many, fleet))]) == repr([*said_by(items, fleet)])


@settings(deadline=None, max_examples=100)
@given(records=batches(), data=st.data())
def test_some_assets_put_together_are_what_their_readings_are(
    records: list[SourceRecord], data: st.DataObject
) -> None:
    by_asset = decode_batch(records, FLEETS).by_asset
    for name, fleet in FLEETS.items():
        shares = [said_by(items, name)[0] for items in by_asset.values()]
        everyone = [items for items in shares if items]
        some = [items for items in everyone if data.draw(st.integers(0, 3))]
        for assets in (everyone, some):
            found = put_together(assets, fleet.spec.machine)
            expected = put_together([list(items) for items in assets], fleet.spec.machine)

            assert in_bits(found) == in_bits(expected)
            left_out = [at for at in range(len(found.readings)) if data.draw(st.booleans())]
            kept = [item.record for items in assets for item in items]
            kept = [record for at, record in enumerate(kept) if at not in left_out]
            positions, published = found.positions(left_out)
            assert list(positions) == [record.position for record in kept]
            assert published == [record.published_ts_ms for record in kept]

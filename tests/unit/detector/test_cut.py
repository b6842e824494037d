"""What a fetch brought, cut so that two batches have no partition in common."""

from __future__ import annotations

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from common.intake.fetcher import Part
from common.intake.plain import PlainRecord
from detector.adapters.faust_chunks import LEAST_RECORDS, cut
from tests.support.batches import fetched_records


@given(st.dictionaries(st.integers(0, 9), st.integers(0, 3 * LEAST_RECORDS), min_size=1))
def test_nothing_is_lost_no_partition_is_cut_and_no_small_fetch(sizes: dict[int, int]) -> None:
    record = PlainRecord(0, None, None, None, None)
    fetched = {
        TP("readings", number): Part(fetched_records([record] * size), 0, size, [])
        for number, size in sizes.items()
    }

    found = cut(fetched)

    assert {where: part for parts in found for where, part in parts.items()} == fetched
    assert sum(map(len, found)) == len(fetched)
    rows = [sum(len(part.records) for part in parts.values()) for parts in found]
    if len(found) == 1:
        largest = max(sizes.values())
        assert min(largest, sum(sizes.values()) - largest) < LEAST_RECORDS
    else:
        assert min(rows) >= LEAST_RECORDS
        assert abs(rows[0] - rows[1]) <= max(sizes.values())

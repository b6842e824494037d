"""How far topics have been read: written in the transaction of what was read from them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.adapters.sql.models import PositionRow
from api.adapters.sql.upsert import put_rows
from api.ports import FeedBatch, FeedPosition, Item


async def read_positions(connection: AsyncConnection, source: str) -> Mapping[int, FeedPosition]:
    """Return how far each partition of a source was read."""
    statement = select(PositionRow.partition, PositionRow.next_offset, PositionRow.mark).where(
        PositionRow.source == source
    )
    rows = (await connection.execute(statement)).all()
    return {row.partition: FeedPosition(row.next_offset, row.mark) for row in rows}


async def put_position(connection: AsyncConnection, batch: FeedBatch[Item]) -> None:
    """Note that a batch has been read."""
    row = {
        "source": batch.source,
        "partition": batch.partition,
        "next_offset": batch.position.next_offset,
        "mark": batch.position.mark,
    }
    await put_rows(connection, PositionRow, [row])

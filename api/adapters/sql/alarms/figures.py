"""Figures of alarms, counted by SQLite or PostgreSQL from alarms, alerts and the log of actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Float,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from api.adapters.sql.models import AlarmEventRow, AlarmRow
from api.alarms.events import Action, Judgement
from api.alarms.figures import (
    MOST_LISTED,
    STALE,
    STRETCH,
    AlarmFigures,
    AssetCount,
    Busiest,
    ChannelCount,
    FiguresQuery,
    OldAlarm,
)
from api.alarms.lifecycle import AlarmState

WHITE_SPACE: Final = " \t\r\n"
STRETCH_S: Final = int(STRETCH.total_seconds())
JUDGEMENTS: Final = {each.value: each for each in Judgement}


async def read_figures(
    connection: AsyncConnection, query: FiguresQuery, now: datetime
) -> AlarmFigures:
    """Count alarms, as of one moment.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: If the database fails.
    """
    dialect = connection.dialect.name
    ours = _ours(query)
    alarms, assets = await _assets(connection, ours)
    busiest, floods = await _stretches(connection, ours, query.flood, dialect)
    chattering, flaps, chattering_assets = await _chattering(connection, ours)
    stale, oldest = await _stale(connection, query, now)
    acknowledged, median_s, p90_s = await _times_taken(connection, ours, dialect)
    return AlarmFigures(
        alarms=alarms,
        busiest=busiest,
        floods=floods,
        chattering=chattering,
        flaps=flaps,
        chattering_assets=chattering_assets,
        stale=stale,
        oldest=oldest,
        acknowledged=acknowledged,
        median_s=median_s,
        p90_s=p90_s,
        verdicts=await _verdicts(connection, ours, dialect),
        assets=assets,
        channels=await _channels(connection, ours),
    )


def _ours(query: FiguresQuery) -> ColumnElement[bool]:
    return and_(
        AlarmRow.arrived_at >= query.since, AlarmRow.arrived_at < query.until, _of_fleet(query)
    )


def _of_fleet(query: FiguresQuery) -> ColumnElement[bool]:
    return true() if query.fleet is None else AlarmRow.fleet == query.fleet


async def _assets(
    connection: AsyncConnection, ours: ColumnElement[bool]
) -> tuple[int, Sequence[AssetCount]]:
    count = func.count().label("alarms")
    alarms = (await connection.execute(select(count).where(ours))).scalar_one()
    most = (
        select(AlarmRow.asset_id, count)
        .where(ours)
        .group_by(AlarmRow.asset_id)
        .order_by(count.desc(), AlarmRow.asset_id)
        .limit(MOST_LISTED)
    )
    rows = (await connection.execute(most)).all()
    return alarms, [AssetCount(asset_id, number) for asset_id, number in rows]


async def _stretches(
    connection: AsyncConnection, ours: ColumnElement[bool], flood: int, dialect: str
) -> tuple[Busiest | None, int]:
    number = _second(AlarmRow.arrived_at, dialect) // STRETCH_S
    counted = (
        select(number.label("number"), func.count().label("alarms"))
        .where(ours)
        .group_by(number)
        .subquery()
    )
    most = select(counted).order_by(counted.c.alarms.desc(), counted.c.number).limit(1)
    floods = select(func.count()).select_from(counted).where(counted.c.alarms > flood)
    first = (await connection.execute(most)).first()
    flooded = (await connection.execute(floods)).scalar_one()
    if first is None:
        return None, flooded
    began = datetime.fromtimestamp(first.number * STRETCH_S, UTC)
    return Busiest(began, first.alarms), flooded


async def _chattering(
    connection: AsyncConnection, ours: ColumnElement[bool]
) -> tuple[int, int, Sequence[AssetCount]]:
    total, flapping = func.sum(AlarmRow.flaps), and_(ours, AlarmRow.flaps > 0)
    whole = select(func.count(), func.coalesce(total, 0)).where(flapping)
    most = (
        select(AlarmRow.asset_id, func.count(), total)
        .where(flapping)
        .group_by(AlarmRow.asset_id)
        .order_by(total.desc(), AlarmRow.asset_id)
        .limit(MOST_LISTED)
    )
    alarms, flapped = (await connection.execute(whole)).one()
    rows = (await connection.execute(most)).all()
    return (
        alarms,
        int(flapped),
        [AssetCount(asset_id, count, int(number)) for asset_id, count, number in rows],
    )


async def _stale(
    connection: AsyncConnection, query: FiguresQuery, now: datetime
) -> tuple[int, OldAlarm | None]:
    old = and_(
        AlarmRow.state == AlarmState.ACTIVE.value,
        AlarmRow.arrived_at <= now - STALE,
        _of_fleet(query),
    )
    first = (
        select(AlarmRow.alarm_id, AlarmRow.asset_id, AlarmRow.arrived_at)
        .where(old)
        .order_by(AlarmRow.arrived_at, AlarmRow.alarm_id)
        .limit(1)
    )
    count = (await connection.execute(select(func.count()).where(old))).scalar_one()
    row = (await connection.execute(first)).first()
    if row is None or row[2] is None:
        return count, None
    return count, OldAlarm(row[0], row[1], row[2])


async def _times_taken(
    connection: AsyncConnection, ours: ColumnElement[bool], dialect: str
) -> tuple[int, float | None, float | None]:
    """Return how many were acknowledged, and the nearest ranks of the time that took, s."""
    first = (
        select(AlarmEventRow.alarm_id, func.min(AlarmEventRow.at).label("at"))
        .where(AlarmEventRow.action == Action.ACKNOWLEDGED.value)
        .group_by(AlarmEventRow.alarm_id)
        .subquery()
    )
    taken = _span_s(AlarmRow.arrived_at, first.c.at, dialect)
    ranked = (
        select(
            taken.label("taken_s"),
            func.row_number().over(order_by=taken).label("place"),
            func.count().over().label("count"),
        )
        .join(first, first.c.alarm_id == AlarmRow.alarm_id)
        .where(ours)
        .subquery()
    )
    place, count = ranked.c.place, ranked.c.count
    wanted = or_(*(place == (tenths * count + 9) // 10 for tenths in (5, 9)))
    statement = select(ranked.c.taken_s, count).where(wanted).order_by(place)
    rows = (await connection.execute(statement)).all()
    if not rows:
        return 0, None, None
    return rows[0][1], round(float(rows[0][0]), 3), round(float(rows[-1][0]), 3)


async def _verdicts(
    connection: AsyncConnection, ours: ColumnElement[bool], dialect: str
) -> Mapping[Judgement, int]:
    last = (
        select(func.max(AlarmEventRow.sequence))
        .join(AlarmRow, AlarmRow.alarm_id == AlarmEventRow.alarm_id)
        .where(ours, AlarmEventRow.action == Action.JUDGED.value)
        .group_by(AlarmEventRow.alarm_id)
    )
    verdict = _text_in(AlarmEventRow.body, dialect, "judgement")
    statement = (
        select(verdict, func.count()).where(AlarmEventRow.sequence.in_(last)).group_by(verdict)
    )
    rows = (await connection.execute(statement)).all()
    return {JUDGEMENTS[name]: count for name, count in rows if name in JUDGEMENTS}


async def _channels(
    connection: AsyncConnection, ours: ColumnElement[bool]
) -> Sequence[ChannelCount]:
    count = func.count().label("alarms")
    statement = (
        select(AlarmRow.fleet, AlarmRow.channel, count)
        .where(ours, AlarmRow.channel.is_not(None))
        .group_by(AlarmRow.fleet, AlarmRow.channel)
        .order_by(count.desc(), AlarmRow.fleet, AlarmRow.channel)
        .limit(MOST_LISTED)
    )
    rows = (await connection.execute(statement)).all()
    return [ChannelCount(fleet, channel or "", number) for fleet, channel, number in rows]


def _second(column: Any, dialect: str) -> ColumnElement[int]:
    """Return the second that a moment is in, of UTC's epoch."""
    if dialect == "postgresql":
        return cast(func.floor(func.extract("epoch", column)), BigInteger)
    return cast(func.strftime("%s", column), BigInteger)


def _span_s(begin: Any, end: Any, dialect: str) -> ColumnElement[float]:
    """Return how long it is between two moments, s; SQLite tells to a tenth of a millisecond."""
    if dialect == "postgresql":
        return cast(func.extract("epoch", end - begin), Float)
    seconds: ColumnElement[float] = (func.julianday(end) - func.julianday(begin)) * 86_400.0
    return seconds


def _text_in(
    body: InstrumentedAttribute[str], dialect: str, *path: str
) -> ColumnElement[str | None]:
    """Return a value inside JSON; none where it is not there, or the text is no JSON."""
    # a text of PostgreSQL cannot hold the character 0, and no JSON that does gives anything out
    takeable = func.replace(body, r"\u0000", r"\ufffd")
    if dialect == "postgresql":
        # a damaged row harms only itself; what was stored as JSON begins and ends like this
        looks_sound: ColumnElement[bool] = func.btrim(body, WHITE_SPACE).like("{%}")
        found = func.json_extract_path_text(cast(takeable, JSON), *path)
    else:
        steps = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in path)
        looks_sound = func.json_valid(body) == 1
        found = func.json_extract(takeable, f"${steps}")
    return case((looks_sound, found), else_=None)

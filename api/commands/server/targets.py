"""What a command is about: the alarm of an id, or the alarms of an asset."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from api.commands.server.asking import told
from api.commands.server.client import ApiClient, Query
from api.views.alarms.alarms import AlarmDetail, AlarmView
from api.views.assets import Asset
from common.errors import UserError
from common.records.ids import ID_PATTERN
from common.terminal.nearest import suggestion

LOOKED_AT: Final = 2000
"""Most alarms or assets that are looked at for names like the one given."""

ALARMS: Final = "/api/v1/alarms"
ASSETS: Final = "/api/v1/assets"
SHORTEST_PREFIX: Final = 4


def alarms_of(client: ApiClient, target: str) -> list[AlarmView]:
    """Return the alarms meant by an asset's name, an alarm's id, or the first part of one.

    Of an asset those that stand, the most urgent first; perhaps none.

    Raises:
        UserError: If nothing is called so; names what is most like it.
    """
    if is_name(target):
        query: Query = {"asset_id": target, "standing": "true", "limit": 500}
        standing = [told(AlarmView, each, client) for each in client.items(ALARMS, query)]
        if standing or find_asset(client, target) is not None:
            return standing
    known = [
        told(AlarmView, each, client)
        for each in client.items(ALARMS, {"limit": 500}, most=LOOKED_AT)
    ]
    found = [each for each in known if each.alarm_id == target]
    if not found and len(target) >= SHORTEST_PREFIX:
        found = [each for each in known if each.alarm_id.startswith(target)]
    if len(found) > 1:
        raise UserError(f"{len(found)} alarms begin with {target!r}; give more of the id.")
    if found:
        return found
    raise UserError(
        f"There is no asset and no alarm {target!r}."
        f"{suggestion(target, [*_names(client), *(each.alarm_id for each in known)])} "
        "`surgeline assets` lists the machines, the worst first."
    )


def detail_of(client: ApiClient, alarm_id: str) -> AlarmDetail:
    """Return one alarm with all that was done about it."""
    return told(AlarmDetail, client.get(path_of(alarm_id), {}), client)


def path_of(alarm_id: str, action: str = "") -> str:
    """Return where an alarm, or an action on it, is.

    Example:
        >>> path_of("a/b", "shelve")
        '/api/v1/alarms/a%2Fb/shelve'
    """
    return f"{ALARMS}/{quote(alarm_id, safe='')}" + (f"/{action}" if action else "")


def asset_of(client: ApiClient, name: str) -> Asset:
    """Return one asset.

    Raises:
        UserError: If there is none; names those most like it.
    """
    found = find_asset(client, name)
    if found is not None:
        return found
    names = _names(client)
    if not names:
        raise UserError(
            f"There is no asset {name!r}: no reading has come yet. Start a replay with "
            "`surgeline replay`."
        )
    raise UserError(
        f"There is no asset {name!r}.{suggestion(name, names)} `surgeline assets` lists all."
    )


def find_asset(client: ApiClient, name: str) -> Asset | None:
    """Return one asset; none if there is none."""
    if not is_name(name):
        return None
    for each in client.items(ASSETS, {"asset_id": name}):
        return told(Asset, each, client)
    return None


def is_name(text: str) -> bool:
    """Return whether an asset could be called so."""
    return re.fullmatch(ID_PATTERN, text) is not None


def _names(client: ApiClient) -> Iterable[str]:
    return [str(each["asset_id"]) for each in client.items(ASSETS, {"limit": 1000}, LOOKED_AT)]

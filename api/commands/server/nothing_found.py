"""What a command says when a question has no answer: nothing is stored, or nothing matches.

Only asks and words; the commands print it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.commands.server.client import ApiClient
from common.terminal.nearest import suggestion

LOOKED_AT: Final = 1000
"""Most alerts or assets that are looked at for names like the one asked for."""


def no_alerts(client: ApiClient, query: Mapping[str, str | None]) -> str:
    """Return why a list of alerts is empty.

    Args:
        client: What asked.
        query: The filters, ``asset_id``, ``run_id``, ``fleet``, ``min_level``; none
            where not given.
    """
    wanted = {name: value for name, value in query.items() if value is not None}
    page = client.get("/api/v1/alerts", {"limit": LOOKED_AT if wanted else 1})
    if not wanted or not page["items"]:
        if page.get("removed_until"):
            return f"No alerts. {_removed(page)}"
        return "No alerts. Start a replay with `surgeline replay`, then look again."
    more = "more than " if page.get("next_cursor") else ""
    near = ""
    for field in ("asset_id", "run_id", "fleet"):
        near = near or (suggestion(wanted[field], _values(page, field)) if field in wanted else "")
    return (
        f"No alert matches: {more}{len(page['items']):,} are stored, none of them "
        f"{_words(wanted)}.{near}{_removed(page)}"
    )


def no_verdicts(client: ApiClient, asset: str, run: str | None, status: str | None) -> str:
    """Return why a list of verdicts is empty.

    Args:
        client: What asked.
        asset: Whose verdicts were asked for.
        run: Of which run; none for all.
        status: Which verdict; none for all.
    """
    known = client.get("/api/v1/assets", {"asset_id": asset})["items"]
    if not known:
        page = client.get("/api/v1/assets", {})
        if not page["items"]:
            return "No verdicts. Start a replay with `surgeline replay`, then look again."
        more = "more than " if page.get("next_cursor") else ""
        near = suggestion(asset, _values(page, "asset_id"))
        return (
            f"No verdicts on {asset}: {more}{len(page['items']):,} assets have some, it is not one "
            f"of them.{near}"
        )
    (latest,) = known[:1]
    wanted = {"run_id": run, "status": status}
    words = _words({name: value for name, value in wanted.items() if value is not None})
    counts = ", ".join(f"{count:,} {kind}" for kind, count in latest["verdicts"].items())
    near = "" if run is None else suggestion(run, [latest["run_id"]])
    return (
        f"No verdict on {asset} matches: it has {counts} in its latest run {latest['run_id']} (of "
        f"{latest['runs']:,}), and none {words}.{near}"
        f"{_removed(client.get('/api/v1/scores', {'asset_id': asset, 'limit': 1}))}"
    )


def _removed(page: Mapping[str, Any]) -> str:
    """Return what was removed, in words; nothing where nothing was."""
    until = page.get("removed_until")
    return "" if until is None else f" Of readings up to {until} some were removed (retention)."


def _values(page: Mapping[str, Any], field: str) -> set[str]:
    return {item[field] for item in page["items"]}


def _words(wanted: Mapping[str, str]) -> str:
    forms = {
        "asset_id": "of asset {}",
        "run_id": "of run {}",
        "fleet": "of fleet {}",
        "min_level": "of level {} or worse",
        "status": "with the verdict {}",
    }
    return ", ".join(forms[name].format(value) for name, value in wanted.items())

"""Strangers' markup and script in every free text of the api, between a page and the real one."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from playwright.sync_api import Page, Route

SAID_BY_OTHERS: Final = {
    "asset_id", "channel", "column", "detail", "engines", "error", "expected", "fleet", "hint",
    "id", "meaning", "message", "name", "planned_by", "reason", "received", "run_id", "sensor_id",
    "speed", "step", "title", "unit", "who", "why", "word",
}  # fmt: skip
"""Fields that hold what strangers chose: names, units, notes, cells of files."""

KEYED_BY_OTHERS: Final = {"shares", "sensors", "settings", "legend"}
"""Objects whose keys they chose."""


def talk_like_strangers(page: Page, payload: str) -> None:
    """Put ``payload`` behind every free text of answers, and take it off requests again."""

    def answer(route: Route) -> None:
        asked = urlsplit(route.request.url)
        plain = json.dumps(payload, ensure_ascii=False)[1:-1]
        query = [(name, value.replace(payload, "")) for name, value in parse_qsl(asked.query)]
        path = quote(unquote(asked.path).replace(payload, ""))
        sent = route.request.post_data
        found = route.fetch(
            url=asked._replace(path=path, query=urlencode(query)).geturl(),
            post_data=None if sent is None else sent.replace(plain, ""),
        )
        route.fulfill(response=found, json=said(found.json(), payload))

    page.route("**/api/v1/**", answer)
    page.route("**/info", answer)
    page.route("**/api/v1/**/stream", lambda route: route.continue_())
    page.route("**/api/v1/session", lambda route: route.continue_())


def said(value: object, payload: str, field: str = "") -> object:
    """Return an answer with ``payload`` behind every text that is not the api's own."""
    match value:
        case dict():
            return {
                (f"{name}{payload}" if field in KEYED_BY_OTHERS else name): said(
                    each, payload, name
                )
                for name, each in value.items()
            }
        case list():
            return [said(each, payload, field) for each in value]
        case str() if field in SAID_BY_OTHERS:
            return f"{value}{payload}"
        case _:
            return value

"""The published wire contract is the one the code keeps."""

from __future__ import annotations

from deploy.asyncapi import ASYNCAPI_FILE, asyncapi_text


def test_the_document_is_what_the_records_say() -> None:
    assert ASYNCAPI_FILE.read_text(encoding="utf-8") == asyncapi_text(), (
        "docs/asyncapi.json is stale: run python -m deploy.asyncapi"
    )

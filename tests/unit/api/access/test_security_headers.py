"""Every answer tells browsers to run and load nothing that is not ours."""

from __future__ import annotations

import base64
import hashlib
import re

from api.http.security_headers import HEADERS, POLICY
from tests.support.api import running


async def test_every_answer_has_them_refusals_and_defects_too() -> None:
    async with running() as api:
        for path, headers in (
            ("/health", {}), ("/nowhere", {}), ("/api/v1/alerts?x=1", {}),
            ("/health", {"Host": "evil.example"}),
        ):  # fmt: skip
            answer = await api.client.get(path, headers=headers)
            assert answer.headers["content-security-policy"] == POLICY
            for name, value in HEADERS.items():
                assert answer.headers[name] == value, (path, name)
        api.fakes.history.failure = RuntimeError("broken")  # type: ignore[assignment]  # a defect
        defect = await api.client.get("/api/v1/alerts")
        assert (defect.status_code, defect.headers["content-security-policy"]) == (500, POLICY)


def test_the_policy_allows_no_script_but_our_own() -> None:
    assert POLICY.startswith("default-src 'self';")
    assert "unsafe" not in POLICY


async def test_what_depends_on_who_asks_is_kept_by_no_cache() -> None:
    async with running() as api:
        for path in ("/api/v1/alerts", "/info", "/metrics"):
            assert (await api.client.get(path)).headers["cache-control"] == "no-store"


async def test_the_documentation_runs_its_own_script_and_no_other() -> None:
    async with running() as api:
        page = await api.client.get("/docs")

    policy = page.headers["content-security-policy"]
    [script] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}'" in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]

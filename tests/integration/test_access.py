"""Keys from the command line to the socket: an api process that asks for them, one that may not.

No broker runs here: keys, sessions and refusals need none.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import httpx
import pytest

from common.settings import PREFIX, KafkaSettings
from deploy.local.programs import free_port
from tests.support import forked
from tests.support.api_process import ApiProcess

KEYS_ON = {"SURGELINE_API__KEYS": "on"}


def run(folder: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    store = {
        "SURGELINE_ALERTS__URL": f"sqlite+aiosqlite:///{folder}/alerts.db",
        "SURGELINE_SCORES__SQLITE_PATH": f"{folder}/scores.db",
    }
    return forked.run(command, kept | store | settings)


def new_key(folder: Path, name: str, role: str) -> str:
    done = run(folder, "deploy.cli", "keys", "create", name, "--role", role)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"SURGELINE_API__HOST": "0.0.0.0"}, id="all addresses"),  # noqa: S104 - the case
        pytest.param(KEYS_ON, id="told to"),
    ],
)
def test_without_a_key_it_refuses_to_listen_in_one_line(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    done = run(tmp_path, "api", SURGELINE_API__PORT="0", **settings)

    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert "surgeline keys create" in line
    assert "SURGELINE_API__KEYS=off" in line


def test_keys_open_what_their_roles_say_until_they_are_revoked(tmp_path: Path) -> None:
    viewer, admin = (new_key(tmp_path, name, name) for name in ("viewer", "admin"))
    kafka = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}")
    api = ApiProcess(kafka, tmp_path, **KEYS_ON)
    api.start()
    try:
        with httpx.Client(base_url=api.url, timeout=30) as client:
            assert client.get("/health").status_code == 200
            assert client.get("/api/v1/alarms").status_code == 401
            headers = {"Authorization": f"Bearer {viewer}"}
            assert client.get("/api/v1/alarms", headers=headers).json()["items"] == []
            replay = {"dataset": "SIM", "engines": "1"}
            refused = client.post("/api/v1/replays", json=replay, headers=headers)
            assert refused.json()["type"] == "urn:surgeline:problem:role_too_low"

            login = client.post("/api/v1/login", json={"key": admin})
            assert "HttpOnly" in login.headers["set-cookie"]
            audit = client.get("/api/v1/audit").json()["items"]
            assert [(item["who"], item["status"]) for item in audit] == [
                ("admin", 200), ("viewer", 403), ("", 401),
            ]  # fmt: skip

            told = run(tmp_path, "deploy.cli", "alerts", "--url", api.url)
            assert told.returncode == 2
            assert "API key" in told.stderr
            listed = run(
                tmp_path, "deploy.cli", "alerts", "--url", api.url, SURGELINE_API__KEY=viewer
            )
            assert listed.returncode == 0, listed.stderr

            prefix = viewer.split("_")[1]
            gone = run(tmp_path, "deploy.cli", "keys", "revoke", prefix)
            assert (gone.returncode, prefix in gone.stdout) == (0, True)
            assert client.get("/api/v1/alarms", headers=headers).status_code == 401
    finally:
        assert api.stop() == 0
    files = [file for file in tmp_path.iterdir() if file.is_file()]
    for secret in (viewer, admin):
        assert not any(secret.encode() in file.read_bytes() for file in files), "kept somewhere"


def test_the_command_lists_keys_and_says_what_is_wrong(tmp_path: Path) -> None:
    assert "There are no keys" in run(tmp_path, "deploy.cli", "keys", "list").stdout
    secret = new_key(tmp_path, "anna", "operator")

    listed = run(tmp_path, "deploy.cli", "keys", "list").stdout
    assert "anna" in listed
    assert secret.split("_")[1] in listed
    assert secret.split("_")[2] not in listed
    for wrong, said in (
        (("create", "anna", "--role", "viewer"), "Choose another"),
        (("create", "a b", "--role", "viewer"), "expected a name"),
        (("revoke", "nobody"), "surgeline keys list"),
    ):
        done = run(tmp_path, "deploy.cli", "keys", *wrong)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr

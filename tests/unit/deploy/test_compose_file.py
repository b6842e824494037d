"""docker-compose.yml keeps what docs/production.md promises of every container."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.settings import PREFIX, field_paths, variable_name
from deploy.env_file import VARIABLES
from deploy.settings_docs import env_example

REPOSITORY = Path(__file__).parents[3]
TEXT = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOTS = {"demo", "provision", "replay"}
OURS = {"api", "demo", "detector", "provision", "replay"}
INTERPOLATED = re.compile(r"\$\{(?P<name>[A-Z_0-9]+)(?P<rest>[^}]*)\}")
SECRET_WORDS = ("PASSWORD", "TOKEN", "SECRET")
NOT_HERE = {
    "SURGELINE_VAR_DIR",  # of the local stack
    "SURGELINE_API__KEY",  # of commands outside
    "SURGELINE_KAFKA__REPLICATION_FACTOR",  # there is one broker
    "SURGELINE_KAFKA__INGEST_SESSION_TIMEOUT_S",  # no container ingests
    "SURGELINE_SCORES__SQLITE_PATH",  # scores go to InfluxDB
    "SURGELINE_RETENTION__SCORES_MAX_MIB",
    "SURGELINE_RETENTION__LOGS_MIB",  # of the local stack
    "SURGELINE_RETENTION__LOGS_KEPT",
    "SURGELINE_DETECTOR__TEST_KILL_AT",  # of tests
    "SURGELINE_REDIS__CLUSTER",  # the file's own Redis is a single server
    "SURGELINE_REDIS__CLUSTER_NODES",
    "SURGELINE_TRACKING__ENABLED",  # of training, which no container does
    "SURGELINE_TRACKING__EXPERIMENT",
    "SURGELINE_TRACKING__REPORT",
    "SURGELINE_TRACKING__CACHE_DIR",  # a folder of the container
    # the servers of the file have no TLS and no users in their own network, but for passwords in
    # their URLs (docs/security.md)
    "SURGELINE_KAFKA__SECURITY_PROTOCOL",
    "SURGELINE_KAFKA__SASL_MECHANISM",
    "SURGELINE_KAFKA__SASL_USERNAME",
    "SURGELINE_KAFKA__SASL_PASSWORD",
    "SURGELINE_REDIS__USERNAME",
    "SURGELINE_REDIS__PASSWORD",
    "SURGELINE_ALERTS__PASSWORD",
    *(variable_name(path) for path in field_paths() if "tls" in path),
    # who is told is in a file of one's own, mounted with an override (docs/notifications.md)
    *(variable_name(path) for path in field_paths() if path[0] == "notify"),
}

services = pytest.mark.parametrize("name", sorted(SERVICES))


def environment(name: str) -> dict[str, str | None]:
    found = SERVICES[name].get("environment", {})
    assert isinstance(found, dict)
    return found


def interpolated() -> dict[str, set[str]]:
    """What follows the name of each variable that the file reads, such as ``:-8080``."""
    found: dict[str, set[str]] = {}
    for match in INTERPOLATED.finditer(TEXT):
        found.setdefault(match["name"], set()).add(match["rest"])
    return found


@services
def test_every_container_is_held_tightly(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert "no-new-privileges:true" in service["security_opt"]
    assert re.fullmatch(r"[0-9]+[mg]", service["mem_limit"])
    assert service["pids_limit"] <= 512


@services
def test_no_container_runs_as_root(name: str) -> None:
    user, _ = SERVICES[name]["user"].split(":")

    assert int(user) > 0


@services
def test_logs_are_rotated(name: str) -> None:
    assert SERVICES[name]["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@services
def test_what_stays_up_is_asked_for_its_health(name: str) -> None:
    check = SERVICES[name]["healthcheck"]

    if name in ONE_SHOTS:
        assert check == {"disable": True}
        assert SERVICES[name]["restart"] in ("no", "on-failure:3")
    else:
        assert check["test"][0] in ("CMD", "CMD-SHELL")
        assert SERVICES[name]["restart"] == "unless-stopped"


@services
def test_ports_are_published_on_loopback_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert str(port).startswith("127.0.0.1:")
    if not SERVICES[name].get("ports"):
        assert SERVICES[name]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


@services
def test_images_are_pinned(name: str) -> None:
    image = SERVICES[name]["image"]

    if name in OURS:
        assert image == "${STACK_IMAGE:-surgeline:local}"
        assert SERVICES[name]["build"]["dockerfile"] == "deploy/docker/Dockerfile"
    else:
        assert re.fullmatch(r"[a-z./]+:v?[0-9]+(\.[0-9]+){1,2}(-alpine)?", image)


@services
def test_what_is_waited_for_is_of_use(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        done = other in ONE_SHOTS
        wanted = "service_completed_successfully" if done else "service_healthy"
        assert how == {"condition": wanted}


def test_volumes_have_names_or_are_read_only_files_of_the_repository() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = INTERPOLATED.sub(lambda found: found["rest"].removeprefix(":-"), volume)
            source = source.split(":")[0]
            if source.startswith("./"):
                assert volume.endswith(":ro")
            else:
                assert source in COMPOSE["volumes"]


def test_no_secret_has_a_default() -> None:
    for name, rest in interpolated().items():
        if any(word in name for word in SECRET_WORDS):
            assert rest == {":?run make env"}, name
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if any(word in name for word in SECRET_WORDS):
                assert "${STACK_" in str(value), name


def test_the_example_and_the_file_name_the_same_variables_with_the_same_defaults() -> None:
    wanted = {one.name: one.default for one in VARIABLES}
    found = {name: rest for name, rest in interpolated().items() if name != "SURGELINE_DATA_DIR"}

    assert found.keys() == wanted.keys()
    for name, default in wanted.items():
        assert found[name] == {":?run make env" if default is None else f":-{default}"}
    assert set(re.findall(r"^#?(STACK_[A-Z_]+)=", env_example(), re.MULTILINE)) == wanted.keys()


def test_every_setting_is_one_and_every_one_is_set_or_left_to_the_user_or_left_out() -> None:
    known = {variable_name(path) for path in field_paths()}
    used = {
        name for service in SERVICES for name in environment(service) if name.startswith(PREFIX)
    }
    used |= {name for name in interpolated() if name.startswith(PREFIX)}

    assert used <= known
    assert not known - used - NOT_HERE, "hand it on in docker-compose.yml, or say here why not"
    assert known >= NOT_HERE
    assert not used & NOT_HERE


def test_replays_and_detectors_get_no_secret_they_do_not_need() -> None:
    assert not [name for name in environment("replay") if "INFLUX" in name or "REDIS" in name]
    assert "SURGELINE_REDIS__STATE_TTL_S" not in environment("api")  # it reads rings alone
    assert not [name for name in environment("provision") if "REDIS" in name]

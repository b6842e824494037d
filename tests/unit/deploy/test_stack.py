"""What ``surgeline up`` runs, and which settings it gives to whom."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from common.errors import UserError
from common.settings import load_settings
from deploy.local.stack import Addresses, StackPlan, choose_addresses, forget
from tests.support.servers.tiny_disk import tiny_disk

ADDRESSES = Addresses(broker=9101, valkey=9102, detectors=(9103, 9104), api=9105)


def plan(tmp_path: Path, **environ: str) -> StackPlan:
    return StackPlan.of(tmp_path, ADDRESSES, environ)


def test_servers_start_before_services(tmp_path: Path) -> None:
    names = [[spec.name for spec in stage] for stage in plan(tmp_path).stages(0)]

    assert names == [["broker", "valkey"], ["detector-1", "detector-2", "api"]]


def test_only_the_servers_deaths_void_the_rest(tmp_path: Path) -> None:
    vital = {spec.name for stage in plan(tmp_path).stages(0) for spec in stage if spec.vital}

    assert vital == {"broker", "valkey"}


def test_every_service_gets_settings_it_accepts(tmp_path: Path) -> None:
    ports = []
    for spec in plan(tmp_path).stages(0)[1]:
        settings = load_settings(spec.environment)
        assert settings.kafka.bootstrap_servers == "127.0.0.1:9101"
        assert settings.redis.url.get_secret_value() == "redis://127.0.0.1:9102/0"
        assert settings.scores.sqlite_path == tmp_path / "scores.db"
        assert settings.alerts.url.get_secret_value() == f"sqlite+aiosqlite:///{tmp_path}/alerts.db"
        ports.append(settings.detector.http_port)
    assert ports[:2] == [9103, 9104]


def test_a_new_boot_never_reuses_the_keys_of_the_one_before(tmp_path: Path) -> None:
    one = plan(tmp_path)

    prefixes = {
        boot_plan.environment(boot)["SURGELINE_REDIS__KEY_PREFIX"]
        for boot_plan in (one, plan(tmp_path))
        for boot in range(3)
    }

    assert len(prefixes) == 6


def test_the_users_settings_hold_but_the_stacks_addresses_win(tmp_path: Path) -> None:
    mine = plan(
        tmp_path,
        surgeline_detector__alarm__on_delay_cycles="7",
        SURGELINE_KAFKA__BOOTSTRAP_SERVERS="elsewhere:9092",
        SURGELINE_SCORES__SQLITE_PATH="/mine.db",
    )

    for environ in (mine.environment(0), mine.stages(0)[1][0].environment):
        settings = load_settings(environ)
        assert settings.detector.alarm.on_delay_cycles == 7
        assert settings.kafka.bootstrap_servers == "127.0.0.1:9101"
        assert settings.scores.sqlite_path == Path("/mine.db")


def test_a_secret_of_the_users_reaches_the_services_but_not_the_state_file(tmp_path: Path) -> None:
    mine = plan(
        tmp_path,
        SURGELINE_SCORES__INFLUX_TOKEN="hush",  # noqa: S106 - what must not leak
        SURGELINE_ALERTS__URL="postgresql+asyncpg://u:hush@h/d",
    )

    service = mine.stages(0)[1][0].environment
    assert service["SURGELINE_SCORES__INFLUX_TOKEN"] == "hush"  # noqa: S105
    assert service["SURGELINE_ALERTS__URL"] == "postgresql+asyncpg://u:hush@h/d"
    assert "hush" not in str(mine.environment(0))
    assert "SURGELINE_ALERTS__URL" not in mine.environment(0)


def test_how_to_get_into_the_users_own_servers_is_left_out(tmp_path: Path) -> None:
    """The stack's broker and Valkey are open; what would not fit them would be refused."""
    (tmp_path / "url").write_text("sqlite+aiosqlite:////mine.db")
    mine = plan(
        tmp_path,
        SURGELINE_KAFKA__SECURITY_PROTOCOL="SASL_SSL",
        SURGELINE_KAFKA__SASL_USERNAME="me",
        SURGELINE_KAFKA__SASL_PASSWORD_FILE="/run/secrets/kafka",  # noqa: S106 - a file's name
        SURGELINE_KAFKA__TLS__CA_FILE="/ca.pem",
        SURGELINE_REDIS__URL_FILE="/run/secrets/redis",
        SURGELINE_REDIS__PASSWORD="hush",  # noqa: S106 - what must not be used
        SURGELINE_ALERTS__URL_FILE=str(tmp_path / "url"),
    )

    settings = load_settings(mine.stages(0)[1][0].environment)

    assert settings.kafka.security_protocol == "PLAINTEXT"
    assert settings.kafka.tls.ca_file is None
    assert settings.redis.url.get_secret_value() == "redis://127.0.0.1:9102/0"
    assert settings.redis.password.get_secret_value() == ""
    assert settings.alerts.url.get_secret_value() == "sqlite+aiosqlite:////mine.db"


def test_a_relative_data_folder_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    environment = plan(tmp_path, SURGELINE_DATA_DIR="cmapss").environment(0)

    assert environment["SURGELINE_DATA_DIR"] == str(tmp_path / "cmapss")


def test_ports_are_distinct_and_the_api_gets_the_one_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]

    addresses = choose_addresses(workers=3, api_port=port)

    assert addresses.api == port
    ports = {addresses.broker, addresses.valkey, *addresses.detectors, addresses.api}
    assert len(ports) == 6


def test_a_taken_api_port_that_was_asked_for_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(UserError, match=f"Port {port} .* is taken"):
            choose_addresses(workers=1, api_port=port)


def test_forgetting_deletes_the_stores_and_nothing_else(tmp_path: Path) -> None:
    for name in ("scores.db", "scores.db-wal", "alerts.db", "mine.db"):
        (tmp_path / name).touch()

    forget(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.db"]


def test_a_folder_says_when_no_process_can_work_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with tiny_disk(folder, megabytes=1) as disk:
        stack = StackPlan.of(folder / "var", choose_addresses(1, None), {})
        assert stack.lack_of_room() is None
        with disk.full():
            assert "cannot be written to: No space left on device" in str(stack.lack_of_room())
        assert stack.lack_of_room() is None
        assert list((folder / "var").iterdir()) == []


def test_a_store_that_cannot_be_deleted_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "scores.db").mkdir()

    with pytest.raises(UserError, match=r"scores.db cannot be deleted: .*--var DIR"):
        forget(tmp_path)

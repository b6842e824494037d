"""The whole stack on this machine: which processes, with which settings, at which addresses.

Everything listens on loopback alone. Broker and Valkey are memory-only, so each boot gets a Redis
key prefix of its own: offsets in an asset's state belong to one life of the topic.
"""

from __future__ import annotations

import sys
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from common.errors import UserError
from common.settings import (
    PREFIX,
    field_paths,
    file_variable_name,
    secret_paths,
    variable_name,
)
from deploy.local.boot import Stages
from deploy.local.health import HttpCheck, TcpCheck
from deploy.local.process import ChildSpec
from deploy.local.programs import (
    LOOPBACK,
    broker_command,
    free_port,
    is_free,
    valkey_command,
)
from deploy.local.statefile import PRIVATE_FOLDER

DEFAULT_API_PORT: Final = 8080
STORE_FILES: Final = ("scores.db", "alerts.db")
LOG_FOLDER: Final = "logs"
OTHER_SERVERS: Final = frozenset(
    {
        ("kafka", "security_protocol"),
        ("kafka", "sasl_mechanism"),
        ("kafka", "sasl_username"),
        ("kafka", "sasl_password"),
        ("kafka", "tls"),
        ("redis", "url"),
        ("redis", "username"),
        ("redis", "password"),
        ("redis", "tls"),
    }
)
"""Settings that are of no use for the broker and the Valkey of the stack."""
PROBE_BYTES: Final = 64 * 1024
"""A SQLite store needs about as much to open."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The loopback ports of one stack; they stay the same over its boots.

    Attributes:
        broker: The Kafka-protocol broker.
        valkey: The Redis-protocol server.
        detectors: One a worker: its /health, /ready and /metrics.
        api: The HTTP service.
    """

    broker: int
    valkey: int
    detectors: tuple[int, ...]
    api: int


def choose_addresses(workers: int, api_port: int | None) -> Addresses:
    """Return free ports.

    Args:
        workers: Number of detectors.
        api_port: The api's port; none means 8080, or any if that is taken.

    Raises:
        UserError: If ``api_port`` was given and is taken.
    """
    if api_port is not None and not is_free(api_port):
        raise UserError(
            f"Port {api_port} of {LOOPBACK} is taken by another program. Give the api another one: "
            "--api-port N, or leave the option out to get a free one."
        )
    if api_port is None:
        api_port = DEFAULT_API_PORT if is_free(DEFAULT_API_PORT) else free_port()
    taken = {api_port}
    while len(taken) < workers + 3:
        taken.add(free_port())
    broker, valkey, *detectors = sorted(taken - {api_port})
    return Addresses(broker, valkey, tuple(detectors), api_port)


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What ``surgeline up`` runs.

    Attributes:
        var_dir: Folder of logs and stores; absolute.
        addresses: Where its processes listen.
        environ: The user's environment: their settings hold for the services, except addresses.
        identity: Tells this stack's names from any other's.
    """

    var_dir: Path
    addresses: Addresses
    environ: Mapping[str, str]
    identity: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @classmethod
    def of(cls, var_dir: Path, addresses: Addresses, environ: Mapping[str, str]) -> StackPlan:
        """Return a plan; the names of settings in ``environ`` may be in any case."""
        upper = {
            name.upper() if name.upper().startswith(PREFIX) else name: value
            for name, value in environ.items()
            if not _lets_into_other_servers(name.upper())
        }
        return cls(var_dir, addresses, upper)

    def environment(self, boot: int) -> dict[str, str]:
        """Return the SURGELINE_ variables that lead a client to this stack.

        Args:
            boot: Counted from 0; part of the Redis key prefix.
        """
        given = {
            name: value
            for name, value in self.environ.items()
            if name in _settings_without_secrets()
        }
        if "SURGELINE_DATA_DIR" in given:  # other terminals may be in another folder
            given["SURGELINE_DATA_DIR"] = str(Path(given["SURGELINE_DATA_DIR"]).absolute())
        return self._stores() | given | self._servers(boot)

    def _stores(self) -> dict[str, str]:
        """Where results are kept, unless the user says otherwise."""
        stores = {
            "SURGELINE_SCORES__SQLITE_PATH": str(self.var_dir / "scores.db"),
            "SURGELINE_ALERTS__URL": f"sqlite+aiosqlite:///{self.var_dir / 'alerts.db'}",
        }
        given = {name.removesuffix("_FILE") for name in self.environ} | set(self.environ)
        return {name: value for name, value in stores.items() if name not in given}

    def _servers(self, boot: int) -> dict[str, str]:
        """What the stack itself provides, whatever the user says."""
        at = self.addresses
        return {
            "SURGELINE_VAR_DIR": str(self.var_dir),
            "SURGELINE_KAFKA__BOOTSTRAP_SERVERS": f"{LOOPBACK}:{at.broker}",
            "SURGELINE_KAFKA__IDEMPOTENT_PRODUCER": "false",  # the local broker lacks it
            "SURGELINE_REDIS__URL": f"redis://{LOOPBACK}:{at.valkey}/0",
            "SURGELINE_REDIS__KEY_PREFIX": f"local-{self.identity}-{boot}",
            "SURGELINE_API__HOST": LOOPBACK,
            "SURGELINE_API__PORT": str(at.api),
            "SURGELINE_API__DETECTOR_URL": f"http://{LOOPBACK}:{at.detectors[0]}",
            "SURGELINE_DETECTOR__HTTP_HOST": LOOPBACK,
        }

    def service_environment(self, boot: int) -> dict[str, str]:
        """Return all variables of a process that works with this stack, secrets included."""
        processes = {
            "PYTHONUNBUFFERED": "1",
            # the user's folder may hold an `api/` of its own, which must not be imported
            "PYTHONSAFEPATH": "1",
            # onnxruntime would send usage data to its maker
            "ORT_DISABLE_TELEMETRY": "1",
        }
        return {**self._stores(), **self.environ, **self._servers(boot), **processes}

    def stages(self, boot: int) -> Stages:
        """Return the processes in the order in which they start.

        Raises:
            BackendMissingError: If the local servers are not installed.
        """
        detectors = [
            self._service(boot, name, "detector", port, SURGELINE_DETECTOR__HTTP_PORT=str(port))
            for name, port in zip(self.detector_names, self.addresses.detectors, strict=True)
        ]
        api = self._service(boot, "api", "api", self.addresses.api)
        return [self._server_specs(), [*detectors, api]]

    @property
    def detector_names(self) -> tuple[str, ...]:
        """Names of the detector processes."""
        if len(self.addresses.detectors) == 1:
            return ("detector",)
        return tuple(f"detector-{number + 1}" for number in range(len(self.addresses.detectors)))

    @property
    def urls(self) -> dict[str, str]:
        """Where people can look, by name."""
        api = f"http://{LOOPBACK}:{self.addresses.api}"
        return {
            "api": api,
            "api reference": f"{api}/docs",
            "alerts, live": f"{api}/api/v1/alerts/stream",
            **{
                f"{name} metrics": f"http://{LOOPBACK}:{port}/metrics"
                for name, port in zip(self.detector_names, self.addresses.detectors, strict=True)
            },
            "broker": f"{LOOPBACK}:{self.addresses.broker}",
            "valkey": f"redis://{LOOPBACK}:{self.addresses.valkey}/0",
        }

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.var_dir / LOG_FOLDER / f"{name}.log"

    def lack_of_room(self) -> str | None:
        """Return why no process can work in the folder now; none if it can be written to."""
        try:
            self.var_dir.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
            with tempfile.NamedTemporaryFile(dir=self.var_dir, prefix=".room.") as probe:
                probe.write(bytes(PROBE_BYTES))
                probe.flush()
        except OSError as exc:
            return f"{self.var_dir} cannot be written to: {exc.strerror}"
        return None

    def _server_specs(self) -> list[ChildSpec]:
        environment = {name: v for name, v in self.environ.items() if not name.startswith(PREFIX)}
        commands = {
            "broker": (broker_command(self.addresses.broker), self.addresses.broker),
            "valkey": (valkey_command(self.addresses.valkey, self.var_dir), self.addresses.valkey),
        }
        return [
            ChildSpec(name, tuple(command), environment, TcpCheck(port), self.log(name), vital=True)
            for name, (command, port) in commands.items()
        ]

    def _service(self, boot: int, name: str, package: str, port: int, **own: str) -> ChildSpec:
        return ChildSpec(
            name=name,
            command=(sys.executable, "-m", package),
            environment=self.service_environment(boot) | own,
            check=HttpCheck(f"http://{LOOPBACK}:{port}/ready"),
            log=self.log(name),
        )


def forget(var_dir: Path) -> None:
    """Delete the stores that a stack made in a folder.

    Raises:
        UserError: If one cannot be deleted.
    """
    for name in STORE_FILES:
        for suffix in ("", "-wal", "-shm"):
            _delete(var_dir / f"{name}{suffix}")


def empty_logs(var_dir: Path) -> None:
    """Delete the logs of the stack that ran before in a folder.

    Raises:
        UserError: If one cannot be deleted.
    """
    for log in (var_dir / LOG_FOLDER).glob("*.log*"):
        _delete(log)


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise UserError(
            f"{path} cannot be deleted: {exc.strerror}. Delete it, or give another folder: "
            "--var DIR."
        ) from exc


def _settings_without_secrets() -> set[str]:
    return {variable_name(path) for path in set(field_paths()) - set(secret_paths())}


def _lets_into_other_servers(name: str) -> bool:
    """Whether a variable says how to get into a broker or Redis: the stack's own are open."""
    return any(
        name in (variable_name(path), file_variable_name(path))
        for path in field_paths()
        if path[:2] in OTHER_SERVERS
    )

"""``make env``: writes ``.env`` for docker-compose.yml, with passwords of one's own.

The standard library only: it runs before anything is installed, as ``python3 -m deploy.env_file``.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TARGET: Final = Path(".env")
EXAMPLE: Final = Path(".env.example")
OWNER_ONLY: Final = 0o600
SECRET_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class StackVariable:
    """A variable that docker-compose.yml reads, and no program of ours.

    Attributes:
        name: Begins with ``STACK_``.
        meaning: One sentence.
        default: What holds if it is not set; none for a secret, which must be set.
    """

    name: str
    meaning: str
    default: str | None = None


VARIABLES: Final = (
    StackVariable("STACK_POSTGRES_PASSWORD", "Of PostgreSQL, the alert history."),
    StackVariable(
        "STACK_POSTGRES_READER_PASSWORD", "Of PostgreSQL's role that only reads, for Grafana."
    ),
    StackVariable("STACK_REDIS_PASSWORD", "Of Redis, rings and alarm states."),
    StackVariable("STACK_INFLUXDB_PASSWORD", "Of InfluxDB's page, user `surgeline`."),
    StackVariable("STACK_INFLUXDB_TOKEN", "InfluxDB's token, with all rights."),
    StackVariable("STACK_GRAFANA_PASSWORD", "Of Grafana, user `admin`."),
    StackVariable("STACK_API_PORT", "The api, on 127.0.0.1.", "8080"),
    StackVariable(
        "STACK_API_KEYS", "Whether the api asks for keys: `on`, once there is one.", "off"
    ),
    StackVariable("STACK_GRAFANA_PORT", "Grafana, on 127.0.0.1.", "3000"),
    StackVariable("STACK_PROMETHEUS_PORT", "Prometheus, on 127.0.0.1.", "9090"),
    StackVariable("STACK_INFLUXDB_PORT", "InfluxDB, on 127.0.0.1.", "8086"),
    StackVariable("STACK_KAFKA_PORT", "Kafka, on 127.0.0.1.", "9092"),
    StackVariable("STACK_MLFLOW_PORT", "MLflow (profile `mlflow`), on 127.0.0.1.", "5000"),
    StackVariable(
        "STACK_RETENTION_DAYS", "How long InfluxDB keeps scores, days; 0 for ever.", "90"
    ),
    StackVariable("STACK_REPLAY_SPEED", "Of the profile `replay`: 60x, or max.", "60x"),
    StackVariable(
        "STACK_MODELS",
        "Folder of your own models and fleets file, absolute; it is /models in the containers, so "
        "SURGELINE_FLEETS=/models/FILE. Left out: an empty volume.",
        "models",
    ),
    StackVariable("STACK_IMAGE", "Name of the image of ours.", "surgeline:local"),
    StackVariable(
        "STACK_BASE", "What it is built on: a Debian with Python.", "python:3.12.11-slim-bookworm"
    ),
    StackVariable(
        "STACK_LOCK",
        "What is installed in it: serving-mlflow.lock if models come from an MLflow registry.",
        "serving.lock",
    ),
)


def example_lines() -> list[str]:
    """Return the part of ``.env.example`` that docker-compose.yml reads."""
    lines = ["# --- docker compose: passwords; `make env` makes them up"]
    for one in (each for each in VARIABLES if each.default is None):
        lines += [f"# {one.meaning}", f"{one.name}="]
    lines += ["", "# --- docker compose: the rest"]
    for one in (each for each in VARIABLES if each.default is not None):
        lines += [f"# {one.meaning}", f"#{one.name}={one.default}"]
    return lines


def filled(text: str, made_up: Callable[[], str]) -> tuple[str, list[str]]:
    """Return a ``.env`` in which every secret has a value, and the names of those it lacked.

    Args:
        text: ``.env`` as it is, or the example.
        made_up: Returns a new secret; called once for each that is missing.
    """
    made = []
    for one in (each for each in VARIABLES if each.default is None):
        line = re.compile(rf"^{one.name}=(.*)$", re.MULTILINE)
        found = line.search(text)
        if found and found[1].strip():
            continue
        made.append(one.name)
        entry = f"{one.name}={made_up()}"
        text = line.sub(entry, text) if found else f"{text.rstrip()}\n{entry}\n"
    return text, made


def write(root: Path) -> list[str]:
    """Write ``.env``, readable by its owner alone; what it holds already stays.

    Args:
        root: The repository.

    Returns:
        Names of the secrets that were made up.
    """
    target = root / TARGET
    source = target if target.exists() else root / EXAMPLE
    text, made = filled(source.read_text(encoding="utf-8"), lambda: secrets.token_hex(SECRET_BYTES))
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(target)
    return made


def main(arguments: Sequence[str]) -> int:
    """Write ``.env`` in the folder given, else here; say what was made up, and no secret."""
    made = write(Path(arguments[0] if arguments else "."))
    words = f"{len(made)} passwords were made up" if made else "it has all passwords; none changed"
    sys.stdout.write(f"{TARGET}: {words}. Only you can read it.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

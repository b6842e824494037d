"""A real Prometheus for tests, with our own configuration and rules."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.local.programs import free_port
from tests.support.servers.backends import require, wait_until
from tests.support.servers.own_server import OwnServer

FOLDER = Path(__file__).parents[3] / "deploy" / "prometheus"
NEEDED = "{} is needed: apt-get install prometheus"


def program(name: str) -> str:
    """Return where ``prometheus`` or ``promtool`` is; skips (in CI: fails) where it is not."""
    found = shutil.which(name)
    if found is None:
        require(NEEDED.format(name))
        raise AssertionError("unreachable")
    return found


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    url: str

    def ask(self, path: str, **parameters: str | list[str]) -> Any:
        """Return the data of an answer of its HTTP API.

        Raises:
            AssertionError: With what the server says is wrong with the question.
        """
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, trust_env=False)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def rows(self, expression: str) -> list[float]:
        """Return the values of an expression now; those that are no number are left out."""
        found = self.ask("query", query=expression)
        if found["resultType"] == "scalar":
            return [float(found["result"][1])]
        values = [float(row["value"][1]) for row in found["result"]]
        return [value for value in values if not math.isnan(value)]


def local_config(targets: Mapping[str, list[str]], scrape_s: int) -> dict[str, Any]:
    """Return our own configuration with other addresses and a faster pace.

    Args:
        targets: Addresses by job; no others than there are.
        scrape_s: How often it looks and evaluates, s.
    """
    config: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": f"{scrape_s}s", "evaluation_interval": f"{scrape_s}s"}
    config["rule_files"] = [str(FOLDER / rules) for rules in config["rule_files"]]
    assert targets.keys() <= {job["job_name"] for job in config["scrape_configs"]}
    config["scrape_configs"] = [
        {"job_name": name, "static_configs": [{"targets": addresses}]}
        for name, addresses in targets.items()
    ]
    return config


@contextmanager
def prometheus_server(folder: Path, targets: Mapping[str, list[str]]) -> Iterator[Prometheus]:
    """Run a server with our configuration until the block ends."""
    binary, port = program("prometheus"), free_port()
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(local_config(targets, scrape_s=1)))
    command = [
        binary,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    url = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:  # it listens before it answers
        return httpx.get(f"{url}/-/ready", trust_env=False).is_success

    with OwnServer(command, port, folder / "prometheus.log").running():
        wait_until(is_ready, "Prometheus answers")
        yield Prometheus(url)

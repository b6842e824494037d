"""A whole installation whose servers all speak TLS and ask who is there; its secrets in files."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from common.settings import PREFIX
from tests.support.secure.certificates import Authority, Pair
from tests.support.secure.kafka_door import Door, broker_behind_a_door
from tests.support.servers.influx import TOKEN, InfluxServer, influx_server
from tests.support.servers.postgres import SUPERUSER_PASSWORD, postgres_server
from tests.support.servers.redis_tls import redis_over_tls

USER = "surgeline"
KAFKA_PASSWORD = "open,kafka=5b1f"  # noqa: S105 - of servers that live as long as the test
REDIS_PASSWORD = "open/redis@77c2"  # noqa: S105
KEY_PASSWORD = "open-key-90ad"  # noqa: S105
WRONG = "shut:out#e41b"

SECRETS = (KAFKA_PASSWORD, REDIS_PASSWORD, KEY_PASSWORD, TOKEN, SUPERUSER_PASSWORD, WRONG)
"""What nobody must see, wherever they look."""


@dataclass
class Secured:
    """The servers, and what leads our programs to them.

    Attributes:
        folder: Where secrets and outputs are.
        authority: Whom all servers are known by.
        door: Before the broker.
        environment: The settings; all secrets are in files.
        prefix: Of its topics.
        outputs: Files with what our programs have said.
        command_lines: Of every process of this machine, as seen while ours ran.
    """

    folder: Path
    authority: Authority
    door: Door
    environment: dict[str, str]
    prefix: str
    outputs: list[Path] = field(default_factory=list)
    command_lines: set[str] = field(default_factory=set)

    def with_settings(self, changed: Mapping[str, str]) -> dict[str, str]:
        """Return a process's environment: this machine's, the settings, and what is changed."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        given = {
            name: value
            for name, value in self.environment.items()
            if name.removesuffix("_FILE") not in changed  # a secret is given in one place
        }
        return kept | given | dict(changed)

    def secret_file(self, secret: str) -> str:
        """Put a secret into a file, with the line break that editors leave; return its name."""
        file = self.folder / f"secret-{uuid.uuid4().hex}"
        file.write_text(f"{secret}\n")
        file.chmod(0o600)
        return str(file)

    def start(self, name: str, *arguments: str, **changed: str) -> subprocess.Popen[bytes]:
        """Start one of our programs; what it says goes to a file."""
        file = self.folder / f"{name}.log"
        self.outputs.append(file)
        with file.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env=self.with_settings(changed),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def run(self, name: str, *arguments: str, **changed: str) -> tuple[int, str]:
        """Run one of our programs to its end; return its exit code and what it said."""
        process = self.start(name, *arguments, **changed)
        try:
            code = process.wait(60)
        finally:
            process.kill()
            process.wait()
            self.look_at_processes()
        return code, (self.folder / f"{name}.log").read_text()

    def look_at_processes(self) -> None:
        """Note what anybody sees with `ps`, of all processes there are."""
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.command_lines.add(file.read_bytes().replace(b"\0", b" ").decode("utf-8"))
            except OSError:
                continue  # it has ended

    def leaks(self) -> list[str]:
        """Return where a secret stands that should not, by what was looked at."""
        seen = {str(file): file.read_text(errors="replace") for file in self.outputs}
        seen["ps"] = "\n".join(self.command_lines)
        return [
            f"{place}: {secret}: {_around(text, form)}"
            for place, text in seen.items()
            for secret in SECRETS
            for form in forms(secret)
            if form in text
        ]


def forms(secret: str) -> set[str]:
    """Return a secret as it may stand somewhere: as it is, in a URL, and in base64."""
    return {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")}


def _around(text: str, found: str) -> str:
    at = text.index(found)
    return text[max(0, at - 100) : at + 100]


@contextmanager
def secured_installation(folder: Path) -> Iterator[Secured]:
    """Run all servers until the block ends."""
    authority = Authority(folder)
    shows = authority.vouch("server")
    (folder / "redis").mkdir()
    (folder / "influx").mkdir()
    with (
        broker_behind_a_door(folder, shows) as door,
        redis_over_tls(folder / "redis", authority, shows, USER, REDIS_PASSWORD) as redis,
        influx_server(folder / "influx", shows, authority) as influx,
        postgres_server(shows) as postgres,
    ):
        door.user, door.password, door.asks_clients_for = USER, KAFKA_PASSWORD, authority.file
        door.again()
        made = Secured(folder, authority, door, {}, f"test-{uuid.uuid4().hex[:12]}")
        client = authority.vouch("client", key_password=KEY_PASSWORD)
        made.environment |= _settings(made, client, redis, influx, postgres)
        yield made


def _settings(
    made: Secured, client: Pair, redis: int, influx: InfluxServer, postgres: str
) -> dict[str, str]:
    ca, bucket = str(made.authority.file), influx.new_bucket()
    return {
        "SURGELINE_LOG__LEVEL": "DEBUG",
        "SURGELINE_VAR_DIR": str(made.folder / "var"),
        "SURGELINE_KAFKA__BOOTSTRAP_SERVERS": made.door.address,
        "SURGELINE_KAFKA__TOPIC_PREFIX": made.prefix,
        "SURGELINE_KAFKA__PARTITIONS": "4",
        "SURGELINE_KAFKA__OP_TIMEOUT_S": "15",
        "SURGELINE_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "SURGELINE_KAFKA__SASL_USERNAME": USER,
        "SURGELINE_KAFKA__SASL_PASSWORD_FILE": made.secret_file(KAFKA_PASSWORD),
        "SURGELINE_KAFKA__TLS__CA_FILE": ca,
        "SURGELINE_KAFKA__TLS__CERT_FILE": str(client.cert),
        "SURGELINE_KAFKA__TLS__KEY_FILE": str(client.key),
        "SURGELINE_KAFKA__TLS__KEY_PASSWORD_FILE": made.secret_file(KEY_PASSWORD),
        "SURGELINE_REDIS__URL": f"rediss://127.0.0.1:{redis}/0",
        "SURGELINE_REDIS__KEY_PREFIX": made.prefix,
        "SURGELINE_REDIS__USERNAME": USER,
        "SURGELINE_REDIS__PASSWORD_FILE": made.secret_file(REDIS_PASSWORD),
        "SURGELINE_REDIS__TLS__CA_FILE": ca,
        "SURGELINE_SCORES__BACKEND": "influx",
        "SURGELINE_SCORES__INFLUX_URL": influx.url,
        "SURGELINE_SCORES__INFLUX_BUCKET": bucket.influx_bucket,
        "SURGELINE_SCORES__INFLUX_TOKEN_FILE": made.secret_file(TOKEN),
        "SURGELINE_SCORES__TLS__CA_FILE": ca,
        "SURGELINE_ALERTS__URL": postgres.replace(f":{SUPERUSER_PASSWORD}@", "@"),
        "SURGELINE_ALERTS__PASSWORD_FILE": made.secret_file(SUPERUSER_PASSWORD),
        "SURGELINE_ALERTS__TLS__REQUIRED": "true",
        "SURGELINE_ALERTS__TLS__CA_FILE": ca,
        "SURGELINE_DETECTOR__GROUP_ID": f"{made.prefix}-detector",
        "SURGELINE_DETECTOR__SESSION_TIMEOUT_S": "2",
        "SURGELINE_API__PORT": "0",
    }

"""Every setting of Surgeline, with its unit, bounds and default, in one place.

Set by environment variables, ``SURGELINE_`` + group + ``__`` + field, for example
``SURGELINE_KAFKA__BOOTSTRAP_SERVERS``. Composition roots call :func:`load_settings` once and hand
the groups on; nothing else reads the environment. ``docs/settings.md`` and ``.env.example`` are
written from this file by ``surgeline settings --write``, and a test fails when they are stale.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from common.alarm_defaults import BRIDGE_CYCLES, ON_DELAY_CYCLES
from common.errors import SettingsError
from common.files.secret import secret_from
from common.redaction import without_credentials

PREFIX: Final = "SURGELINE_"
TEST_PREFIX: Final = "SURGELINE_TEST_"
"""Read by the test suite alone (servers to test against); not settings, and not refused."""


ADDRESS: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?(:(?P<port>[0-9]{1,5}))?")
"""A host name or IPv4 address, with a port or none."""


class Group(BaseModel):
    """Base of all groups: immutable, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TlsSettings(Group):
    """TLS to a server."""

    ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that may vouch for the server; empty for those "
        "of this system.",
    )
    cert_file: Path | None = Field(
        None,
        description="PEM file of the certificate that we show, with its chain; empty for none.",
    )
    key_file: Path | None = Field(
        None, description="PEM file of its private key; empty where the certificate's file has it."
    )
    key_password: SecretStr = Field(SecretStr(""), description="Password of the private key.")
    check_hostname: bool = Field(
        True,
        description="Refuse a server whose certificate is for another name. The certificate itself "
        "is always verified.",
    )

    @field_validator("ca_file", "cert_file", "key_file", mode="before")
    @classmethod
    def _no_file(cls, value: object) -> object:
        return None if value == "" else value

    @property
    def given(self) -> bool:
        """Whether any of it is set."""
        return self != type(self)()

    def check(self, group: str, used: bool, how: str) -> None:
        """Refuse what would be ignored.

        Args:
            group: Where it stands in all settings, such as ``kafka``.
            used: Whether the connection speaks TLS.
            how: What to set so that it does.

        Raises:
            ValueError: Naming the variables, and what to set.
        """
        if self.given and not used:
            raise ValueError(
                f"{variable_name((group, 'tls'))}__* is set, but the connection does not use TLS. "
                f"Set {how}, or leave them out."
            )
        if self.cert_file is None and (self.key_file or self.key_password.get_secret_value()):
            raise ValueError(
                f"{variable_name((group, 'tls', 'key_file'))} or its password is set without a "
                f"certificate. Set {variable_name((group, 'tls', 'cert_file'))}, or leave them out."
            )


class KafkaTls(TlsSettings):
    """TLS to the message broker, where the security protocol is SSL or SASL_SSL."""


class RedisTls(TlsSettings):
    """TLS to Redis, where its URL begins with rediss://."""


class InfluxTls(TlsSettings):
    """TLS to InfluxDB, where its URL begins with https://."""


class AlertHistoryTls(TlsSettings):
    """TLS to PostgreSQL."""

    required: bool = Field(
        False,
        description="Speak TLS to PostgreSQL, and only with a server whose certificate is "
        "verified. Without it the URL decides (`?ssl=`).",
    )


class KafkaSettings(Group):
    """The message broker."""

    bootstrap_servers: str = Field(
        "127.0.0.1:9092",
        description="Broker addresses, host:port, separated by commas.",
    )
    topic_prefix: str = Field(
        "surgeline",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="First part of every topic's name.",
    )
    partitions: int = Field(
        8, ge=1, le=1024, description="Partitions of the readings topic when it is created."
    )
    replication_factor: int = Field(
        1, ge=1, le=10, description="Replicas of each topic when it is created."
    )
    idempotent_producer: bool = Field(
        False,
        description="Use Kafka's idempotent producer. Turn on for Apache Kafka; the local broker "
        "lacks it, and a source retry is then a duplicate verdict, not a second score.",
    )
    linger_ms: int = Field(
        20, ge=0, le=10_000, description="How long a producer waits to fill a batch, ms."
    )
    op_timeout_s: float = Field(
        30.0,
        gt=0,
        le=600,
        description="Longest wait for one broker request, s. At least "
        "SURGELINE_DETECTOR__SESSION_TIMEOUT_S: joining the group takes as long.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        description="How to speak to the broker, in Kafka's words: `SSL` is TLS, `SASL` a user "
        "name and a password (docs/security.md).",
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How the password is proven; `PLAIN` sends it."
    )
    sasl_username: str = Field("", max_length=1000, description="User name at the broker.")
    sasl_password: SecretStr = Field(SecretStr(""), description="Password at the broker.")
    tls: KafkaTls = KafkaTls()

    @field_validator("bootstrap_servers")
    @classmethod
    def _are_addresses(cls, servers: str) -> str:
        for server in servers.split(","):
            found = ADDRESS.fullmatch(server.strip())
            if not found or not 0 < int(found["port"] or 1) <= 65_535:
                raise ValueError("host:port is expected, or several separated by commas")
        return ",".join(server.strip() for server in servers.split(","))

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.security_protocol in ("SSL", "SASL_SSL")

    @property
    def uses_sasl(self) -> bool:
        """Whether a user name and password are asked for."""
        return self.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    def check(self) -> None:
        """Refuse a password that would not be used, or is missing.

        Raises:
            ValueError: Naming the variables, and what to set.
        """
        self.tls.check(
            "kafka",
            self.uses_tls,
            "SURGELINE_KAFKA__SECURITY_PROTOCOL to SSL or SASL_SSL",
        )
        login = (self.sasl_username, self.sasl_password.get_secret_value())
        if self.uses_sasl and not all(login):
            raise ValueError(
                f"SURGELINE_KAFKA__SECURITY_PROTOCOL is {self.security_protocol}, which needs "
                "SURGELINE_KAFKA__SASL_USERNAME and SURGELINE_KAFKA__SASL_PASSWORD (or "
                "SURGELINE_KAFKA__SASL_PASSWORD_FILE)."
            )
        if any(login) and not self.uses_sasl:
            raise ValueError(
                f"SURGELINE_KAFKA__SECURITY_PROTOCOL is {self.security_protocol}, which uses no "
                "password. Set it to SASL_SSL, or leave SURGELINE_KAFKA__SASL_USERNAME and "
                "SURGELINE_KAFKA__SASL_PASSWORD out."
            )


class RedisSettings(Group):
    """Where rings and alarm states are kept (Redis or Valkey)."""

    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="Redis URL; may hold a password."
    )
    key_prefix: str = Field(
        "surgeline",
        pattern=r"^[a-zA-Z0-9._:-]{1,100}$",
        description="First part of every key. Change it whenever the readings topic is recreated: "
        "stored offsets belong to one life of the topic.",
    )
    op_timeout_s: float = Field(5.0, gt=0, le=600, description="Longest wait for one command, s.")
    state_ttl_s: int = Field(
        30 * 86_400,
        ge=60,
        description="How long the state of a silent asset is kept, s.",
    )
    username: str = Field(
        "", max_length=1000, description="Redis user (ACL); empty for the one without a name."
    )
    password: SecretStr = Field(
        SecretStr(""), description="Its password, where the URL holds none."
    )
    tls: RedisTls = RedisTls()

    def check(self) -> None:
        """Refuse a password that is given twice, and TLS files that would not be used.

        Raises:
            ValueError: Naming the variables, and what to set.
        """
        url = self.url.get_secret_value()
        self.tls.check("redis", url.startswith("rediss://"), "SURGELINE_REDIS__URL to rediss://...")
        if "@" in url and (self.username or self.password.get_secret_value()):
            raise ValueError(
                "SURGELINE_REDIS__URL holds a user or password, and SURGELINE_REDIS__USERNAME or "
                "SURGELINE_REDIS__PASSWORD is set too. Give them in one place."
            )
        if self.username and not self.password.get_secret_value():
            raise ValueError(
                "SURGELINE_REDIS__USERNAME is set without SURGELINE_REDIS__PASSWORD (or "
                "SURGELINE_REDIS__PASSWORD_FILE)."
            )


class ScoreStoreSettings(Group):
    """Where scores go: a SQLite file, or InfluxDB."""

    backend: Literal["sqlite", "influx"] = Field(
        "sqlite", description="`sqlite` for one machine, `influx` for production."
    )
    sqlite_path: Path = Field(Path("var/scores.db"), description="The SQLite file (WAL mode).")
    influx_url: str = Field("http://127.0.0.1:8086", description="InfluxDB base URL.")
    influx_org: str = Field("surgeline", description="InfluxDB organisation.")
    influx_bucket: str = Field("surgeline", description="InfluxDB bucket (database in InfluxQL).")
    influx_token: SecretStr = Field(SecretStr(""), description="InfluxDB token.")
    op_timeout_s: float = Field(
        30.0, gt=0, le=600, description="Longest wait for one write or query, s."
    )
    tls: InfluxTls = InfluxTls()

    def check(self) -> None:
        """Refuse TLS files that would not be used.

        Raises:
            ValueError: Naming the variables, and what to set.
        """
        self.tls.check(
            "scores",
            self.influx_url.startswith("https://"),
            "SURGELINE_SCORES__INFLUX_URL to https://...",
        )


class AlertHistorySettings(Group):
    """Where the api keeps the alerts it has seen."""

    url: SecretStr = Field(
        SecretStr("sqlite+aiosqlite:///var/alerts.db"),
        description="SQLAlchemy URL: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://...`.",
    )
    op_timeout_s: float = Field(
        10.0, gt=0, le=600, description="Longest wait for a connection, a lock or a statement, s."
    )
    password: SecretStr = Field(
        SecretStr(""), description="Password at PostgreSQL, where the URL holds none."
    )
    tls: AlertHistoryTls = AlertHistoryTls()

    def check(self) -> None:
        """Refuse TLS files that would not be used.

        Raises:
            ValueError: Naming the variables, and what to set.
        """
        self.tls.check("alerts", self.tls.required, "SURGELINE_ALERTS__TLS__REQUIRED to true")


class RetentionSettings(Group):
    """How long what is stored is kept, and how much of it; 0 means no bound."""

    scores_days: float = Field(
        90,
        ge=0,
        le=36_500,
        description="Verdicts are removed so many days after they were stored (SQLite), or after "
        "the reading's time (InfluxDB, a bucket made by `surgeline provision`).",
    )
    scores_max_mib: int = Field(
        5120,
        ge=0,
        description="The SQLite file is kept below so many MiB: the oldest verdicts go first. "
        "InfluxDB cannot be bounded by size.",
    )
    coarse_days: float = Field(
        730,
        ge=0,
        le=36_500,
        description="InfluxDB keeps hourly means and maxima of scores for so many days.",
    )
    alerts_days: float = Field(
        365,
        ge=0,
        le=36_500,
        description="Alerts are removed so many days after they were stored, with all others of "
        "their alarm; never those of an alarm that is open.",
    )
    alerts_max_rows: int = Field(
        1_000_000,
        ge=0,
        description="Only so many alerts are kept, the newest, and those of open alarms.",
    )
    dead_letters_days: float = Field(
        30,
        ge=0,
        le=36_500,
        description="The dead-letter topic is created with so many days of retention.",
    )
    dead_letters_max_mib: int = Field(
        1024,
        ge=0,
        description="The dead-letter topic is created to hold so many MiB.",
    )
    every_s: float = Field(
        60.0, gt=0, le=86_400, description="How often it is looked for what is to go, s."
    )
    logs_mib: int = Field(
        20, ge=1, le=10_000, description="`surgeline up` rotates a log that is larger, MiB."
    )
    logs_kept: int = Field(
        2, ge=0, le=100, description="So many rotated logs of each process are kept."
    )


class LogSettings(Group):
    """Logs, one event a line, to standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest level that is written."
    )
    format: Literal["console", "json"] = Field(
        "console", description="`console` for people, `json` for log collectors."
    )


class AlarmSettings(Group):
    """When a score becomes an alarm, and when the alarm ends."""

    on_delay_cycles: int = Field(
        ON_DELAY_CYCLES,
        ge=1,
        le=1000,
        description="Anomalous cycles that raise or escalate, cycles.",
    )
    on_window_cycles: int = Field(
        0,
        ge=0,
        le=64,
        description="Among how many of the last cycles they must be, cycles; 0: in a row. Budgets "
        "of false warnings are reckoned for cycles in a row; a longer window gives more.",
    )
    off_delay_cycles: int = Field(
        10, ge=1, le=1000, description="Quiet cycles in a row that clear, cycles."
    )
    min_length_cycles: int = Field(
        0, ge=0, le=1000, description="How long an alarm is open at least, cycles."
    )
    merge_gap_cycles: int = Field(
        0,
        ge=0,
        le=1000,
        description="How long an alarm that would clear waits, cycles: raised anew meanwhile it is "
        "the same alarm, and only its `flaps` say so.",
    )
    deadband: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="A cycle is quiet when its score is below the warning threshold by this part "
        "of it.",
    )


class InputSettings(Group):
    """What is made of readings that are not as they should be (docs/failures.md)."""

    max_reading_bytes: int = Field(
        65_536, ge=1024, description="A larger message is a dead letter, bytes."
    )
    bridge_cycles: int = Field(
        BRIDGE_CYCLES,
        ge=0,
        le=1000,
        description="Longest gap a window may span, missing cycles; 0 refuses every gap: the "
        "warm-up starts again. Nothing is filled in.",
    )
    follow_after: int = Field(
        30,
        ge=0,
        le=10_000,
        description="Readings in a row that contradict what is known of an asset and agree with "
        "each other, until they are believed: a counter that restarted or jumped opens a new run, "
        "an asset on another partition moves there. 0 never believes them.",
    )


class DetectorSettings(Group):
    """The detector."""

    artifact: str = Field(
        "fd001",
        description="What judges the fleet `default` where SURGELINE_FLEETS names no file: a "
        "shipped artifact (models/artifact/shipped), a folder, or `models:/surgeline@production` "
        "(docs/tracking.md).",
    )
    group_id: str = Field(
        "surgeline-detector",
        pattern=r"^[!-~]{1,249}$",
        description="Consumer group of all workers.",
    )
    session_timeout_s: float = Field(
        6.0, ge=1, le=300, description="Silence after which a worker's partitions go to others, s."
    )
    alarm: AlarmSettings = AlarmSettings()
    input: InputSettings = InputSettings()
    http_host: str = Field("127.0.0.1", description="Where /health, /ready, /metrics listen.")
    http_port: int = Field(8081, ge=0, le=65535, description="Their port; 0 picks a free one.")
    max_batch_rows: int = Field(
        4000, ge=1, le=100_000, description="Most readings in one micro-batch, rows."
    )
    max_batch_bytes: int = Field(
        32 * 1024 * 1024,
        ge=64 * 1024,
        le=1024**3,
        description="Most bytes of keys and values in one micro-batch, decompressed; at least one "
        "reading is in it however large. A worker holds two at a time.",
    )
    batch_wait_ms: int = Field(
        10, ge=0, le=5000, description="How long a micro-batch waits to fill, ms."
    )
    inference_threads: int = Field(
        1, ge=1, le=64, description="Threads of one worker's model; scale by workers instead."
    )
    retry_initial_s: float = Field(
        0.2, gt=0, le=3600, description="First wait after a failed write, s."
    )
    retry_max_s: float = Field(10.0, gt=0, le=3600, description="Longest wait between tries, s.")
    stop_grace_s: float = Field(
        5.0,
        ge=0,
        le=300,
        description="How long a worker that is told to stop goes on with its batch, s. A batch "
        "given up is not acknowledged: another worker does it again, with the same outcome.",
    )
    test_kill_at: str = Field(
        "",
        description="For tests only: the worker kills itself the N-th time it reaches a named "
        "point of the delivery protocol, `POINT:N`.",
    )


class ApiSettings(Group):
    """The HTTP service."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port; 0 picks a free one.")
    allowed_hosts: str = Field(
        "",
        max_length=4000,
        description="Further names that requests may give as their `Host`, separated by commas; "
        "`*` for any. `localhost`, loopback addresses and the host above are always accepted.",
    )
    sse_heartbeat_s: float = Field(
        15.0, gt=0, le=300, description="Silence after which a stream sends a heartbeat, s."
    )
    max_concurrent_replays: int = Field(
        4, ge=0, le=64, description="Replays the api runs at a time; 0 forbids them."
    )
    detector_url: str = Field(
        "http://127.0.0.1:8081", description="Where the detector answers /ready; for /ready here."
    )
    probe_timeout_s: float = Field(
        2.0, gt=0, le=60, description="Longest wait for one dependency in /ready, s."
    )


class TrackingSettings(Group):
    """Experiment tracking and the model registry, in MLflow."""

    enabled: bool = Field(
        False, description="Whether `surgeline train` keeps each run, as with `--track`."
    )
    tracking_uri: str = Field(
        "sqlite:///var/mlflow.db",
        pattern=r"^(sqlite:///|https?://).+",
        description="`sqlite:///FILE` (files go beside it), or a server's URL. Credentials go in "
        "MLflow's own MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
    )
    experiment: str = Field("surgeline", min_length=1, description="Experiment that holds runs.")
    model_name: str = Field(
        "surgeline",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="Registered model, as in `models:/surgeline@production`.",
    )
    report: bool = Field(
        True, description="Keep the HTML report with each run; takes seconds per run."
    )
    cache_dir: Path = Field(
        Path("var/models"), description="Where artifacts from the registry are kept, by digest."
    )
    op_timeout_s: float = Field(
        30.0, ge=1, le=600, description="Longest wait for one request to the server, s."
    )


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        case_sensitive=False,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing behind the caller's back: :func:`load_settings` hands over what it read."""
        return (init_settings,)

    data_dir: Path = Field(
        Path("data/cmapss"),
        description="Folder of the C-MAPSS files, or the folder that holds `cmapss/`.",
    )
    var_dir: Path = Field(
        Path("var"),
        description="Folder of the local stack: logs, stores, and where other commands find it.",
    )
    fleets: Path | None = Field(
        None,
        description="File that says which fleets there are and which model judges each "
        "(docs/fleets.md); empty for the shipped ones.",
    )
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    scores: ScoreStoreSettings = ScoreStoreSettings()
    alerts: AlertHistorySettings = AlertHistorySettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    detector: DetectorSettings = DetectorSettings()
    api: ApiSettings = ApiSettings()
    tracking: TrackingSettings = TrackingSettings()

    @field_validator("fleets", mode="before")
    @classmethod
    def _no_file(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        """Refuse pairs that a worker could not start with, or that mean nothing.

        Raises:
            ValueError: Naming both variables, and what to set.
        """
        for group in (self.kafka, self.redis, self.scores, self.alerts):
            group.check()
        kafka, detector = self.kafka, self.detector
        if kafka.op_timeout_s < detector.session_timeout_s:
            raise ValueError(
                f"SURGELINE_KAFKA__OP_TIMEOUT_S is {kafka.op_timeout_s:g} and "
                f"SURGELINE_DETECTOR__SESSION_TIMEOUT_S {detector.session_timeout_s:g}, but a "
                "request to join the group may take as long as the session timeout. Set "
                f"SURGELINE_KAFKA__OP_TIMEOUT_S to {detector.session_timeout_s:g} or more, or the "
                "session timeout to less."
            )
        if detector.retry_initial_s > detector.retry_max_s:
            raise ValueError(
                f"SURGELINE_DETECTOR__RETRY_INITIAL_S is {detector.retry_initial_s:g} and "
                f"SURGELINE_DETECTOR__RETRY_MAX_S {detector.retry_max_s:g}, but the first wait "
                "cannot be longer than the longest. Set the first to less, or the longest to more."
            )
        return self


def field_paths(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, ...]]:
    """Yield the path of every leaf setting, such as ``("detector", "alarm", "deadband")``."""
    for name, info in model.model_fields.items():
        kind = info.annotation
        path = (prefix, name) if prefix else (name,)
        if isinstance(kind, type) and issubclass(kind, Group):
            for rest in field_paths(kind):
                yield (*path, *rest)
        else:
            yield path


def variable_name(path: tuple[str, ...]) -> str:
    """Return the environment variable of a setting.

    Example:
        >>> variable_name(("kafka", "linger_ms"))
        'SURGELINE_KAFKA__LINGER_MS'
    """
    return PREFIX + "__".join(path).upper()


def as_text(value: object) -> str:
    """Return a value as one would write it in its variable; a secret in the clear."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def value_of(settings: BaseModel, path: tuple[str, ...]) -> object:
    """Return one setting."""
    value: object = settings
    for part in path:
        value = getattr(value, part)
    return value


def secret_paths(model: type[BaseModel] = Settings) -> list[tuple[str, ...]]:
    """Return the paths of the settings that are secrets; each may also come from a file."""
    return [path for path in field_paths(model) if _kind(model, path) is SecretStr]


def _kind(model: type[BaseModel], path: tuple[str, ...]) -> object:
    kind: object = model
    for part in path:
        assert isinstance(kind, type)  # noqa: S101 - field_paths descends into groups only
        assert issubclass(kind, BaseModel)  # noqa: S101
        kind = kind.model_fields[part].annotation
    return kind


def file_variable_name(path: tuple[str, ...]) -> str:
    """Return the variable that names the file a secret is read from.

    Example:
        >>> file_variable_name(("redis", "password"))
        'SURGELINE_REDIS__PASSWORD_FILE'
    """
    return f"{variable_name(path)}_FILE"


def variable_names() -> set[str]:
    """Return every variable that Surgeline reads."""
    return {variable_name(path) for path in field_paths()} | {
        file_variable_name(path) for path in secret_paths()
    }


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment, once.

    Args:
        environ: For tests: variables to read instead of the process's own.

    Raises:
        SettingsError: If a ``SURGELINE_`` variable names no setting, a value is out of bounds, or
            a secret cannot be read from its file.
    """
    source = os.environ if environ is None else environ
    known = variable_names()
    given = {name.upper(): value for name, value in source.items()}
    for name in given:
        if name.startswith(PREFIX) and name not in known and not name.startswith(TEST_PREFIX):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else " See docs/settings.md."
            raise SettingsError(f"{name} is not a setting of Surgeline.{hint}")
    values: dict[str, object] = {}
    for path in field_paths():
        name = variable_name(path)
        if name in given:
            _put(values, path, given[name])
    for path in secret_paths():
        name = file_variable_name(path)
        if file := given.get(name):  # empty for none, as an unset variable of a container is
            if given.get(variable_name(path)):
                raise SettingsError(
                    f"Both {variable_name(path)} and {name} are set. Give the secret in one place."
                )
            _put(values, path, secret_from(name, Path(file)))
    try:
        return Settings.model_validate(values)
    except ValidationError as exc:
        refused = SettingsError(_in_words(exc))
    raise refused  # here, without what pydantic raised: that holds all values, secrets too


def _in_words(invalid: ValidationError) -> str:
    errors = invalid.errors()
    if not errors[0]["loc"]:  # two settings that do not go together; the sentence names them
        return str(errors[0]["ctx"]["error"])
    problems = "; ".join(
        f"{variable_name(tuple(str(part) for part in error['loc']))}: "
        f"{error['msg'].removeprefix('Value error, ')}"
        f" (got {without_credentials(str(error['input']))!r})"
        for error in errors
    )
    return f"A setting is out of bounds. {problems}"


def _put(values: dict[str, object], path: tuple[str, ...], value: str) -> None:
    node = values
    for part in path[:-1]:
        child = node.setdefault(part, {})
        assert isinstance(child, dict)  # noqa: S101 - built two lines up
        node = child
    node[path[-1]] = value

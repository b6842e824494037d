"""All settings together, and which of them do not go together."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from common.settings.groups.api import ApiSettings
from common.settings.groups.broker import KafkaSettings
from common.settings.groups.detector import DetectorSettings
from common.settings.groups.log import LogSettings
from common.settings.groups.notify import NotifySettings
from common.settings.groups.retention import RetentionSettings
from common.settings.groups.silence import SilenceSettings
from common.settings.groups.states import RedisSettings
from common.settings.groups.stores import AlertHistorySettings, ScoreStoreSettings
from common.settings.groups.tracking import TrackingSettings
from common.settings.names import PREFIX


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
        description="Folder of the C-MAPSS files, or the folder that holds `cmapss/`. Telemetry of "
        "SMAP and MSL is found in it, in its folder `smap_msl/`, or in one beside it.",
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
    notify: NotifySettings = NotifySettings()
    silence: SilenceSettings = SilenceSettings()
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
        for group in (self.kafka, self.redis, self.scores, self.alerts, self.notify):
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

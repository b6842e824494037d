"""Settings as the environment of a process under test."""

from __future__ import annotations

from common.settings import KafkaSettings, Settings, as_text, field_paths, value_of, variable_name


def kafka_variables(kafka: KafkaSettings) -> dict[str, str]:
    """Return the variables that say a broker, its groups within too."""
    whole = Settings(kafka=kafka)
    paths = [path for path in field_paths() if path[0] == "kafka"]
    return {variable_name(path): as_text(value_of(whole, path)) for path in paths}

"""``surgeline demo --running``: on servers somebody else started, beside other runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from common.settings import KafkaSettings, RedisSettings
from deploy.local.programs import answers, free_port
from tests.e2e.test_up import environment
from tests.support.servers.backends import server


def demo(variables: dict[str, str], tmp_path: Path, engines: str) -> dict[str, Any]:
    report = tmp_path / f"{engines}.json"
    command = [sys.executable, "-m", "deploy.cli", "demo", "--running", "--engines", engines]
    done = subprocess.run(
        [*command, "--json", str(report)],
        env=variables,
        cwd=tmp_path,  # where there are no data
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "had been running" in done.stdout
    return dict(json.loads(report.read_text()))


def test_each_run_counts_for_itself(
    kafka_settings: KafkaSettings, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    port = free_port()
    variables = environment() | {
        "SURGELINE_KAFKA__BOOTSTRAP_SERVERS": kafka_settings.bootstrap_servers,
        "SURGELINE_KAFKA__TOPIC_PREFIX": kafka_settings.topic_prefix,
        "SURGELINE_REDIS__URL": redis_settings.url.get_secret_value(),
        "SURGELINE_REDIS__KEY_PREFIX": redis_settings.key_prefix,
        "SURGELINE_SCORES__SQLITE_PATH": str(tmp_path / "scores.db"),
        "SURGELINE_DETECTOR__GROUP_ID": kafka_settings.topic_prefix,
        "SURGELINE_DETECTOR__HTTP_PORT": str(port),
        "SURGELINE_API__DETECTOR_URL": f"http://127.0.0.1:{port}",
    }
    given = [f"{name}={value}" for name, value in variables.items() if name.startswith("SURGELINE")]

    with server(["env", *given, sys.executable, "-m", "detector"], port, tmp_path / "detector.log"):
        first = demo(variables, tmp_path, "1-4")
        second = demo(variables, tmp_path, "3")
        assert answers(port)  # nothing was ended

    for report in (first, second):
        assert report["readings_sent"] == sum(report["verdicts"].values()) > 0
        assert report["alerts"] == sum(engine["alerts"] for engine in report["engines"])
        assert report["stack_ready_s"] is None
        assert report["latency_ms"]["p50"] > 0
    assert [len(first["engines"]), len(second["engines"])] == [4, 1]
    assert second["readings_sent"] < first["readings_sent"]

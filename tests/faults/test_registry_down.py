"""The registry does not answer: which model is in production is unknown, so no worker starts."""

from __future__ import annotations

from deploy.local.programs import LOOPBACK, free_port
from tests.support.detector import DetectorBench
from tests.support.workers import workers_of


def test_a_worker_does_not_start_on_a_registry_that_does_not_answer(bench: DetectorBench) -> None:
    nobody = f"http://{LOOPBACK}:{free_port()}"

    with workers_of(bench) as workers:
        worker = workers.start(
            SURGELINE_DETECTOR__ARTIFACT="models:/surgeline@production",
            SURGELINE_TRACKING__TRACKING_URI=nobody,
            SURGELINE_TRACKING__CACHE_DIR=str(bench.folder / "models"),
        )
        code = worker.wait_end()

    assert code == 1
    *_, last = worker.log().strip().splitlines()
    assert f"MLflow at {nobody}" in last
    assert "Traceback" not in worker.log()

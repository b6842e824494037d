"""A parity report in which all is well, for tests to spoil."""

from __future__ import annotations

from detector.tools.parity.differences import AlertDiff, ScoreDifference
from detector.tools.parity.evidence import EvidenceDiff
from detector.tools.parity.report import ParityReport

EQUAL = ParityReport(
    run_id="night",
    source="topic t",
    model="fd001@2",
    models_in_store={"fd001@2": 90},
    readings=90,
    live_scores=61,
    compared=61,
    missing=(),
    extra=(),
    tolerance=1e-6,
    largest=ScoreDifference("a", 30, 1.0, 1.0, 0.0),
    beyond=(),
    verdicts=(),
    repeats={},
    doubled=0,
    alerts=AlertDiff(3, 3, 1, (), (), ()),
    evidence=EvidenceDiff(3, (), ()),
)

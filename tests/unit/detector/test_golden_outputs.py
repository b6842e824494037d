"""What the core makes, field by field, against literal values: ids, sentences, numbers, bytes.

Elsewhere outputs are compared with outputs of the same code; here with files (``golden/``) that
change only when somebody pins new ones: ``python -m tests.support.golden``.
"""

from __future__ import annotations

import pytest

from common.errors import RejectReason
from common.records.alerts import Transition
from common.records.verdicts import Verdict
from tests.support.golden import DETECTOR, GOLDEN, concluded, dead_letters


@pytest.mark.parametrize(
    "name", [name for name, golden in GOLDEN.items() if golden.file.parent == DETECTOR]
)
def test_what_subscribers_and_stores_get_is_what_is_pinned(name: str) -> None:
    assert GOLDEN[name].make() == GOLDEN[name].pinned()


def test_every_transition_verdict_and_reason_is_among_the_pinned() -> None:
    batch, outcome = concluded()
    letters = dead_letters()

    assert {alert.state for alert in outcome.alerts} == set(Transition)
    assert {item.status for item in (*outcome.verdicts, *batch.rejected)} == set(Verdict)
    assert isinstance(letters, list)
    assert {letter["reason"] for letter in letters} == set(RejectReason)

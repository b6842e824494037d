"""Why a batch of records cannot be read."""

from __future__ import annotations

from common.errors import RejectReason


class UnreadableBatchError(Exception):
    """A batch cannot be decoded. Never leaves the intake: the batch is set aside instead.

    Attributes:
        reason: ``damaged_batch``, ``unknown_codec`` or ``batch_too_large``.
    """

    def __init__(self, reason: RejectReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def damaged(message: str) -> UnreadableBatchError:
    """Return the error of a batch whose bytes are not what a producer sends."""
    return UnreadableBatchError(RejectReason.DAMAGED_BATCH, message)

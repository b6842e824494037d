"""The error tree. Every error of ours is in this file.

SurgelineError
├── UserError                  a person can mend it: shown as one line, no traceback, exit code 2
│   ├── SettingsError          an environment variable is misspelt or out of bounds
│   ├── FleetsError            the file of fleets is missing, or says what none may say
│   ├── ReceiversError         the file of receivers is missing, or says what none may say
│   ├── MachineTypeError       a description of a kind of machine says what none may say
│   ├── MapError               a map of somebody's JSON is missing, or says what none may say
│   ├── DatasetError           a data file is missing, damaged or not what its name says
│   ├── DownloadError          data could not be fetched
│   ├── ArtifactError          a model artifact is missing, damaged or does not fit
│   └── BackendMissingError    a broker, store or binary this command needs is not there
├── InvalidRecordError         one message is bad: it becomes a dead letter, the stream goes on
├── BackendError               a broker or store failed: ``retriable`` tells whether to try again
│   ├── BackendUnavailableError     (retriable)
│   │   └── NotKnownError      nobody can say how it is: neither well nor not
│   └── BackendRefusedError         (not retriable: wrong credentials, unknown schema)
├── StackError                 a process of the local stack does not stay up
├── RequestRefusedError        the api will not do what it was asked: carries the HTTP status
└── StaleStateError            a worker tried to overwrite its successor's state; its batch is void
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from common.redaction import without_credentials


class SurgelineError(Exception):
    """Any failure this project names. No message holds the password of an address.

    Attributes:
        retriable: Whether the same call may succeed later with nothing else changed.
    """

    retriable: ClassVar[bool] = False

    def __init__(self, message: str = "") -> None:
        """Say what happened; passwords in addresses are masked, whoever forgot to."""
        super().__init__(without_credentials(message))


class UserError(SurgelineError):
    """A mistake a person can mend. The message says what came, what was expected, what to do."""


class SettingsError(UserError):
    """A setting is misspelt, missing or out of bounds."""


class FleetsError(UserError):
    """A fleet is not there, or the file of fleets contradicts itself. Names the entry."""


class ReceiversError(UserError):
    """The file of receivers is missing, or contradicts itself. Names the file and the entry."""


class MachineTypeError(UserError):
    """A machine type is missing, damaged or contradicts itself. Names the file and the entry."""


class MapError(UserError):
    """A map of somebody's JSON is missing, or contradicts itself. Names the file and the entry."""


class DatasetError(UserError):
    """A data set is missing, damaged or not in the expected layout. Names the file and line."""


class DownloadError(UserError):
    """A download failed or brought other bytes than were published."""


class ArtifactError(UserError):
    """A model artifact is missing, damaged or does not fit what it is asked to score."""


class BackendMissingError(UserError):
    """A program or server that this command needs is not there."""


class RejectReason(StrEnum):
    """Why a message became a dead letter. The code on the wire is the value."""

    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    MALFORMED_JSON = "malformed_json"
    SCHEMA = "schema"
    NON_FINITE = "non_finite"
    INVALID_CYCLE = "invalid_cycle"
    MISSING_CHANNEL = "missing_channel"
    OUT_OF_RANGE = "out_of_range"
    KEY_MISMATCH = "key_mismatch"
    EMPTY = "empty"
    UNKNOWN_FLEET = "unknown_fleet"
    WRONG_FLEET = "wrong_fleet"
    OFF_TICK = "off_tick"
    WRONG_PARTITION = "wrong_partition"
    DAMAGED_BATCH = "damaged_batch"
    UNKNOWN_CODEC = "unknown_codec"
    BATCH_TOO_LARGE = "batch_too_large"
    INTERNAL_ERROR = "internal_error"


class InvalidRecordError(SurgelineError):
    """A message on the readings topic cannot be used.

    Attributes:
        reason: The reason code that goes to the dead-letter topic.
    """

    def __init__(self, reason: RejectReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BackendError(SurgelineError):
    """A broker, store or server did not do what it was asked."""


class BackendUnavailableError(BackendError):
    """It did not answer, or said it cannot now. Trying again later is right."""

    retriable: ClassVar[bool] = True


class NotKnownError(BackendUnavailableError):
    """Nobody can say how something is: that is no word on whether it works."""


class BackendRefusedError(BackendError):
    """It answered, and will answer the same again: wrong credentials, schema or address."""


class StaleStateError(SurgelineError):
    """The stored state of an asset is newer than the one this worker holds."""


class StackError(SurgelineError):
    """A process of the local stack does not stay up. Holds its name and its last lines."""


class RequestRefusedError(SurgelineError):
    """The api understood a request and will not do it.

    Attributes:
        status: The HTTP status that says so.
        code: Stable name of the reason, such as ``replay_running``.
        retry_after_s: When it may be asked again, s; none if that is not known.
    """

    def __init__(
        self, status: int, code: str, message: str, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.status = status
        self.code = code

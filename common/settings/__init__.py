"""Every setting of Surgeline, with its unit, bounds and default: one file for each of ``groups/``.

Set by environment variables, ``SURGELINE_`` + group + ``__`` + field, for example
``SURGELINE_KAFKA__BOOTSTRAP_SERVERS``; a secret also by a file that its variable with ``_FILE`` at
the end names. Composition roots call :func:`load_settings` once and hand the groups on; nothing
else reads the environment. ``docs/settings.md`` and ``.env.example`` are written from here by
``surgeline settings --write``, and a test fails when they are stale.

May import: nothing heavy. Start at ``everything.py``; a new setting is one field of one group.
"""

from common.settings.everything import Settings
from common.settings.fields import (
    as_text,
    field_paths,
    secret_paths,
    value_of,
    variable_names,
)
from common.settings.groups.api import ApiSettings
from common.settings.groups.broker import KafkaSettings
from common.settings.groups.detector import AlarmSettings, DetectorSettings, InputSettings
from common.settings.groups.log import LogSettings
from common.settings.groups.notify import MailSettings, NotifySettings, WebhookSettings
from common.settings.groups.retention import RetentionSettings
from common.settings.groups.silence import SilenceSettings
from common.settings.groups.states import RedisSettings
from common.settings.groups.stores import AlertHistorySettings, ScoreStoreSettings
from common.settings.groups.tls import TlsSettings
from common.settings.groups.tracking import TrackingSettings
from common.settings.load import load_settings
from common.settings.names import (
    PREFIX,
    TEST_PREFIX,
    file_variable_name,
    variable_name,
    without_settings,
)

__all__ = [
    "PREFIX",
    "TEST_PREFIX",
    "AlarmSettings",
    "AlertHistorySettings",
    "ApiSettings",
    "DetectorSettings",
    "InputSettings",
    "KafkaSettings",
    "LogSettings",
    "MailSettings",
    "NotifySettings",
    "RedisSettings",
    "RetentionSettings",
    "ScoreStoreSettings",
    "Settings",
    "SilenceSettings",
    "TlsSettings",
    "TrackingSettings",
    "WebhookSettings",
    "as_text",
    "field_paths",
    "file_variable_name",
    "load_settings",
    "secret_paths",
    "value_of",
    "variable_name",
    "variable_names",
    "without_settings",
]

"""One router per resource. Routes translate between HTTP and the services; they decide nothing."""

from typing import Final

API_PREFIX: Final = "/api/v1"

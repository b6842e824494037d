"""One router per resource. Routes translate between HTTP and the services; they decide nothing.

``alarms/``, ``assets/`` and ``scoring/`` hold resources that belong together. ``table.py`` has all
routers in the order of the api's description.
"""

from typing import Final

API_PREFIX: Final = "/api/v1"

"""The fleets as tools see them: the detector's own, perhaps with another model for all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from common.errors import UserError
from common.fleets import load_fleets
from common.settings import Settings
from detector.core.fleet import Fleet, Fleets
from detector.fleets import fleets_of
from models.tracking.resolve import registry_folder


def tool_fleets(settings: Settings, artifact: str | None = None) -> Fleets:
    """Return all fleets.

    Args:
        settings: Where the file of fleets is, and the rules.
        artifact: The model of every fleet; none for each its own.

    Raises:
        UserError: If the file is wrong or an artifact cannot be loaded.
    """
    entries = load_fleets(settings)
    if artifact is not None:
        entries = {
            name: entry.model_copy(update={"artifact": artifact}) for name, entry in entries.items()
        }
    return fleets_of(entries, settings, registry_folder)


def the_only(fleets: Fleets, seen: Collection[str]) -> Fleet:
    """Return the fleet of a run, where there is but one.

    Raises:
        UserError: If there are several, or it is none that is known.
    """
    known = sorted(name for name in seen if name in fleets)
    if len(known) == 1:
        return fleets[known[0]]
    if not known:
        raise UserError(
            f"The run's readings say fleet {', '.join(sorted(seen)) or 'none'}; there are "
            f"{', '.join(sorted(fleets))}."
        )
    raise UserError(
        f"The run has readings of several fleets, {', '.join(known)}; name one with --fleet."
    )


def with_artifact(fleet: Fleet, artifact: str, settings: Settings) -> Fleet:
    """Return a fleet judged by another model."""
    other = tool_fleets(settings, artifact)[fleet.name]
    return replace(fleet, scorer=other.scorer)

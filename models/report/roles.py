"""Which engines served what, in words: of the model's numbers, and of its design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.artifact.manifest import Manifest

DESIGN: Final = (
    "No fit, no choice of a score and no threshold comes of held-out or test engines. The design "
    "does: which scores there are, their constants and the rules for thresholds were found on "
    "these files, held-out engines among them. So the figures flatter, nobody knows how much."
)


@dataclass(frozen=True, slots=True)
class Roles:
    """What the two parts of the training file that were learned from served.

    Attributes:
        fit: What the fit engines alone served.
        validate: What the validation engines alone served.
        together: What both served together.
        shared: The same as one sentence.
    """

    fit: str
    validate: str
    together: tuple[str, ...]
    shared: str


def roles_of(manifest: Manifest) -> Roles:
    """Return who served what, as the manifest has it."""
    training = manifest.training
    chosen = {
        "warning threshold": manifest.thresholds.warning.engines,
        "critical threshold": manifest.thresholds.critical.engines,
    }
    if manifest.channel is not None:
        chosen["warning threshold of single channels"] = manifest.channel.warning.engines
    if manifest.life is not None:
        chosen["remaining life"] = manifest.life.engines
    if manifest.selection is not None:
        chosen["choice of the score"] = manifest.selection.engines
    alone = [what for what, engines in chosen.items() if engines == training.validate_]
    shared = [what for what, engines in chosen.items() if engines != training.validate_]
    return Roles(
        "normalisation, and what model and score learn, on their healthy rows",
        ", ".join(alone) or "no choice of its own",
        tuple(shared),
        f"Fit and validation engines together: {', '.join(shared)}."
        if shared
        else "No engine served both.",
    )

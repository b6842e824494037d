"""What to do where few readings would be scored: the largest loss, and the entry that mends it."""

from __future__ import annotations

from typing import Final

from detector.tools.check.report import CheckReport, Outcome

WORTH_TELLING: Final = 0.1


def advice(report: CheckReport) -> str:
    """Return what to do about the largest loss; empty where little is lost."""
    lost = report.outcomes
    del lost[Outcome.SCORED]
    # what follows a gap is lost to it, too
    lost[Outcome.GAP] += lost.pop(Outcome.WARMING_UP, 0)
    worst, count = max(lost.items(), key=lambda item: item[1], default=(Outcome.GAP, 0))
    if count <= WORTH_TELLING * report.rows:
        return ""
    return _about(worst, report)


def _about(worst: Outcome, report: CheckReport) -> str:
    length = report.window_length
    channels = report.channels
    match worst:
        case Outcome.GAP if not report.outcomes[Outcome.GAP]:
            return (
                f"Most are lost while windows fill: {length} readings at the start of each asset. "
                "A shorter window.length loses less."
            )
        case Outcome.GAP:
            return (
                f"Most are lost to gaps: after each, and at the start, {length} readings in a row "
                "must come before one is scored. Is interval_s the usual time between two "
                "readings? If so, a shorter window.length loses less, and "
                "SURGELINE_DETECTOR__INPUT__BRIDGE_CYCLES says how many missing readings a window "
                "may span."
            )
        case Outcome.BLANK_TOO_LONG | Outcome.NOTHING_MEASURED:
            name = max(channels, key=lambda each: channels[each].lost)
            return (
                f"Most are lost to blanks, above all of {name!r}: a larger max_hold lets its last "
                "value stand in for longer; `used = false` does without it."
            )
        case Outcome.OUT_OF_RANGE:
            name = max(channels, key=lambda each: channels[each].out_of_range)
            return (
                f"Most are refused because {name!r} is out of range: if the machine can show "
                "this, widen its lowest and highest; is the unit another?"
            )
        case Outcome.SAME_TICK:
            return (
                "Most share a tick with another reading: interval_s is longer than the time "
                "between two readings, or --asset-column does not name the column of assets."
            )
        case Outcome.OFF_TICK:
            return (
                "Most lie too far from their tick: a larger step.tolerance, up to 0.5, takes them, "
                "or interval_s is not the time between two readings."
            )
        case Outcome.NO_CYCLE:
            return (
                "Counted from 1970, so short an interval_s comes to cycles that no message may "
                "have. Choose a longer one: of all readings of a tick the first counts."
            )
        case _:
            return f"Most are lost for one reason: {worst.meaning}."

"""What else a person should know of a table: sentences beside the findings."""

from __future__ import annotations

from common.machines.machine import Step
from common.readers.gathering import Gathered
from producer.own_data.findings import Cadence


def remarks_on(gathered: Gathered, cadence: Cadence | None, step: Step) -> tuple[str, ...]:
    """Return one sentence, without its full stop, for each thing that is worth a note."""
    remarks = list(dict.fromkeys(note for table in gathered.tables for note in table.notes))
    if not all(clock.has_zone for clock in gathered.clocks):
        remarks.append("the times have no zone and are taken as UTC")
    unsorted = sum(each.out_of_order for each in gathered.assets)
    if unsorted:
        remarks.append(f"{unsorted:,} rows stood behind a later one and were sorted in")
    untimed = sum(each.without_time for each in gathered.assets)
    if untimed:
        remarks.append(f"{untimed:,} rows have no time and were left out")
    if gathered.without_asset.size:
        remarks.append(f"{gathered.without_asset.size:,} rows have no asset and were left out")
    if cadence is not None and cadence.repeated:
        remarks.append(
            f"{cadence.repeated:,} rows have the time of the row before, within one asset. Does a "
            "column say of which machine they are? Name it with --asset-column"
        )
    if step.clock == "counter":
        remarks.append(
            "readings are numbered, since there is no steady time to count by"
            if gathered.roles.counter is None
            else f"column {gathered.roles.counter!r} counts the readings"
        )
    return tuple(remarks)

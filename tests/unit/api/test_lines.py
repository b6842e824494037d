"""Tables of one line a row, and plots: within the width whatever they hold."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.cells import cell_len

from api.commands.alerts import alert_lines
from api.commands.scores import plot_lines
from api.commands.shown.lines import Column, Row, lay_out, shortened
from api.commands.shown.plot import Scale, severity_plot
from api.commands.shown.urgency import by_urgency
from api.commands.shown.wording import TIMES
from api.ports import StoredAlert
from api.views.alerts import AlertView
from api.views.assets import Asset
from api.views.scores import Score
from tests.support.alerts import make_alert
from tests.support.api import score
from tests.unit.common.test_console import HOSTILE, commands, terminal

COLUMNS = (
    Column("name"),
    Column("step", "cycle", right=True, lesser=2),
    Column("left", lesser=1),
    Column("why"),
)
CELLS = st.fixed_dictionaries({each.name: HOSTILE for each in COLUMNS})
ROWS = st.lists(st.builds(Row, CELLS, st.just("") | HOSTILE, st.sampled_from(["name", "left"])))


@given(ROWS, st.integers(1, 200))
def test_each_row_is_one_line_within_the_width(rows: list[Row], width: int) -> None:
    lines = lay_out(COLUMNS, rows, width)

    assert len(lines) in (0, len(rows) + 1)
    for line in lines:
        assert cell_len(line.plain) <= width
        assert commands(line.plain) == []
        assert "\n" not in line.plain


@given(HOSTILE, HOSTILE, HOSTILE, st.integers(20, 200))
def test_no_name_reason_or_channel_commands_a_terminal(
    name: str, channel: str, reason: str, width: int
) -> None:
    row = AlertView.of(StoredAlert(1, make_alert(), "")).model_dump(mode="json")
    row |= {"asset_id": name, "run_id": name, "step": channel, "reason": reason}
    row["channels"] = [{"name": channel, "share": 1.0, "direction": "high"}]
    console, file = terminal()

    for line in alert_lines([row, row | {"run_id": "other"}], width, reason=True):
        console.print(line, soft_wrap=True)

    assert commands(file.getvalue()) == []
    assert len(file.getvalue().splitlines()) == (6 if reason else 4)


def test_lesser_columns_go_first_and_the_last_is_cut() -> None:
    row = Row({"name": "pump-7", "step": "120", "left": "40-85", "why": "Vibration DE [mm/s]↑"})

    shown = {width: lay_out(COLUMNS, [row], width)[1].plain for width in (60, 34, 28, 16)}

    assert shown[60] == "pump-7    120  40-85  Vibration DE [mm/s]↑"
    assert shown[34] == "pump-7  40-85  Vibration DE [mm/s…"
    assert shown[28] == "pump-7  Vibration DE [mm/s]↑"
    assert shown[16] == "pump-7  Vibrati…"


def test_a_row_may_say_one_thing_in_place_of_its_rest() -> None:
    cold = Row({"name": "pump-7"}, "because it is warming up", "name")

    assert lay_out(COLUMNS, [cold, Row({"name": "p", "why": "x"})], 80)[1].plain == (
        "pump-7  because it is warming up"
    )


@given(HOSTILE | st.text("pump-7\u2e80\u0301"), st.integers(1, 60))
def test_names_keep_their_ends(name: str, width: int) -> None:
    short = shortened(name, width)

    assert cell_len(short) <= width
    assert short.isprintable()
    assert shortened("plant-north-pump-7", 11) == "plant…ump-7"


def test_reasons_stand_below_their_alerts() -> None:
    row = AlertView.of(StoredAlert(1, make_alert(40), "")).model_dump(mode="json")
    rows = [row | {"reason": f"because {number}"} for number in (1, 2)]

    lines = [line.plain for line in alert_lines(rows, 80, reason=True)]

    assert lines[0].split()[:2] == ["time", "(UTC)"]
    assert (lines[2], lines[4]) == ("    because 1", "    because 2")
    assert max(map(len, lines)) <= 80
    assert len(alert_lines(rows, 80, reason=False)) == len(lines) - 2


def test_a_year_is_said_only_where_rows_differ_in_it() -> None:
    row = AlertView.of(StoredAlert(1, make_alert(40), "")).model_dump(mode="json")
    other = row | {"ts": "2025-12-31T23:59:59Z"}

    assert "2025-12-31 23:59:59" in alert_lines([other, row], 80, reason=False)[1].plain
    assert alert_lines([row], 80, reason=False)[1].plain.startswith("01-01 00:00:40")


SEVERITIES = st.lists(st.floats(0, 1e4), min_size=1, max_size=300)


@given(SEVERITIES, st.integers(20, 160), st.integers(3, 20))
def test_a_plot_fits_and_shows_exactly_what_is_a_warning_above_the_line(
    severities: list[float], width: int, height: int
) -> None:
    lines = severity_plot(range(len(severities)), severities, width, height)

    assert len(lines) == height + 1
    assert all(len(line) <= max(width, 20) for line in lines[:-1])
    (line,) = (number for number, each in enumerate(lines) if each.lstrip().startswith("1 ┤"))
    above = any(_dots(each) for each in lines[: line + 1])
    assert above == (max(severities) >= 1)
    assert any(_dots(each) for each in lines)


@given(st.floats(1, 1e4), st.integers(3, 20), st.floats(0, 1e4), st.floats(0, 1e4))
def test_worse_is_never_drawn_lower(peak: float, height: int, one: float, other: float) -> None:
    scale = Scale.of(peak, height)
    low, high = sorted((min(one, peak), min(other, peak)))

    assert 0 <= scale.dots(low) <= scale.dots(high) < 4 * height


@pytest.mark.parametrize("severity", [0.99, 1.0, 1.05, 1.3])
@pytest.mark.parametrize("peak", [0.0, 5.0, 500.0])
def test_a_warning_begins_at_exactly_1(severity: float, peak: float) -> None:
    scale = Scale.of(max(peak, severity), 12)

    assert (scale.dots(severity) >= 4 * scale.below) == (severity >= 1)


def test_a_lone_peak_is_not_lost_among_many() -> None:
    values = [0.1] * 5000
    values[3333] = 5.0

    plot = severity_plot(range(5000), values, 80)

    assert _dots(plot[0]) or _dots(plot[1]) or _dots(plot[2])


def test_nothing_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="0 cycles and 0 severities"):
        severity_plot([], [], 80)


def test_of_several_runs_the_latest_is_drawn() -> None:
    rows = [
        Score.of(structs.replace(score(cycle, run_id=run), severity=severity)).model_dump(
            mode="json"
        )
        for cycle, run, severity in ((1, "a", 9.0), (2, "b", 1.5), (3, "b", 1.2))
    ]

    lines = [line.plain for line in plot_lines(rows, {}, 80)]

    assert lines[0] == f"a, run b: severity now 1.20{TIMES}, peak 1.50{TIMES} at cycle 2"
    assert lines[-1] == "cycles 2 to 3; the line at 1 is a warning"


def test_scores_of_an_earlier_version_have_nothing_to_draw() -> None:
    row = Score.of(score(1)).model_dump(mode="json")

    assert "no severity" in plot_lines([row], {}, 80)[0].plain


def test_the_order_does_not_depend_on_how_they_came() -> None:
    assets = [_asset(name, severity) for name, severity in (("a", 0.5), ("b", 2.0), ("c", None))]

    orders = {
        tuple(row.asset.asset_id for row in by_urgency(each, []))
        for each in itertools.permutations(assets)
    }

    assert orders == {("c", "b", "a")}


def _asset(name: str, severity: float | None) -> Asset:
    verdicts = {"warming_up": 3} if severity is None else {"scored": 1}
    return Asset.model_validate(
        {
            "asset_id": name, "run_id": "r", "fleet": "default", "simulated": False, "runs": 1,
            "first_cycle": 1, "last_cycle": 2, "last_ts": None, "dated_in_future": False,
            "verdicts": verdicts, "last_score": None, "last_level": "none",
            "last_severity": severity, "last_life": None, "peak_score": None,
            "peak_severity": severity, "alarm": None,
            "arrived_at": None, "state": "quiet", "level": None, "asks": False, "standing": None,
            "warm_up": None,
        }
    )  # fmt: skip


def _dots(line: str) -> bool:
    return any("\u2801" <= each <= "\u28ff" for each in line)

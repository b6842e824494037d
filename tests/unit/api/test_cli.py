"""The api's commands: tables, following with resumption, one clear line for every failure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import httpx
import pytest
import typer
from msgspec import structs
from typer.testing import CliRunner

from api.commands.acting import ack, shelve
from api.commands.alerts import alerts
from api.commands.asset import asset
from api.commands.assets import assets
from api.commands.scores import scores
from api.commands.server import asking
from api.commands.server.client import ApiClient
from api.commands.status import status
from api.known_fleets import KnownFleet, KnownModel
from api.ports import StoredAlert
from api.views.alerts import AlertView
from api.views.machines import FleetView, Legend
from api.views.scores import Score
from common.errors import BackendMissingError, BackendUnavailableError, UserError
from common.machines.files import parse_machine
from common.machines.turbofan import TURBOFAN
from common.records.verdicts import Level, Verdict
from tests.support.alerts import make_alert
from tests.support.api import score
from tests.support.own_pumps import PUMP, PUMP_TOML

STREAM = "/api/v1/alerts/stream"
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command against an api that answers with a function."""

    def invoke(command: Callable[..., None], answer: Answer, *arguments: str) -> Any:
        def client(url: str, key: str = "") -> ApiClient:
            return ApiClient(url, httpx.MockTransport(answer), key)

        monkeypatch.setattr(asking, "ApiClient", client)
        monkeypatch.setenv("COLUMNS", "160")
        app = typer.Typer(pretty_exceptions_enable=False)
        app.command()(command)
        return CliRunner().invoke(app, list(arguments))

    return invoke


def page(*items: dict[str, Any]) -> Answer:
    return lambda _: httpx.Response(200, json={"items": items, "next_cursor": None})


def as_json(view: Score | AlertView) -> dict[str, Any]:
    return view.model_dump(mode="json")


def test_alerts_are_a_table_with_the_latest_at_the_end(run: Callable[..., Any]) -> None:
    newest = as_json(AlertView.of(StoredAlert(2, make_alert(50, level=Level.CRITICAL), "")))
    oldest = as_json(AlertView.of(StoredAlert(1, make_alert(40), "")))
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return page(newest, oldest)(request)

    result = run(alerts, answer, "--asset", "FD001-test-001", "--limit", "2")

    assert result.exit_code == 0
    assert dict(asked[0].params) == {"asset_id": "FD001-test-001", "limit": "2"}
    lines = [line for line in result.stdout.splitlines() if "FD001-test-001" in line]
    assert ["40" in lines[0], "50" in lines[1], "critical" in lines[1]] == [True] * 3
    assert "T50↑75, Ps30↓25" in lines[0]


def test_channels_of_alerts_are_told_below_the_table(run: Callable[..., Any]) -> None:
    engines = as_json(AlertView.of(StoredAlert(1, make_alert(40, fleet="FD001"), ""), TURBOFAN))
    unknown = as_json(AlertView.of(StoredAlert(2, make_alert(41, fleet="gone"), "")))

    result = run(alerts, page(unknown, engines))

    lines = result.stdout.splitlines()
    assert lines[0].split()[:4] == ["time", "(UTC)", "asset", "cycle"]
    assert [line.split("  ")[0] for line in lines[-3:]] == ["channel", "T50", "Ps30"]
    assert "total temperature at LPT outlet  °R" in lines[-2]


def test_a_column_of_cycles_is_headed_by_the_machines_own_word(run: Callable[..., Any]) -> None:
    pump = as_json(AlertView.of(StoredAlert(1, make_alert(40, fleet="pumps"), ""), PUMP))
    engine = as_json(AlertView.of(StoredAlert(2, make_alert(41), ""), TURBOFAN))
    reading = as_json(Score.of(structs.replace(score(31), fleet="pumps", shares={"Pressure": 1.0})))
    legend = {"pumps": Legend.of(PUMP).model_dump(mode="json")}

    def verdicts(_: httpx.Request) -> httpx.Response:
        page = {"items": [reading], "legend": legend, "next_cursor": None}
        return httpx.Response(200, json=page)

    alone = run(alerts, page(pump)).stdout.splitlines()
    mixed = run(alerts, page(pump, engine)).stdout.splitlines()
    scored = run(scores, verdicts, "--asset", "a").stdout.splitlines()

    assert ["second" in alone[0], "second" in mixed[0], "cycle" in mixed[0]] == [True, False, True]
    assert "second" in scored[0]
    assert scored[-1].split() == ["Pressure", "bar"]


def test_one_name_in_two_fleets_is_told_apart(run: Callable[..., Any]) -> None:
    other = parse_machine(PUMP_TOML.replace("Flow Rate", "T50"), "other")
    rows = [
        as_json(AlertView.of(StoredAlert(1, make_alert(40, fleet="FD001"), ""), TURBOFAN)),
        as_json(AlertView.of(StoredAlert(2, make_alert(40, fleet="pumps"), ""), other)),
    ]

    lines = run(alerts, page(*rows)).stdout.splitlines()

    told = [line.split() for line in lines[-3:]]
    assert [each[:2] for each in told] == [["pumps", "T50"], ["FD001", "T50"], ["FD001", "Ps30"]]


def test_scores_are_a_table_of_verdicts(run: Callable[..., Any]) -> None:
    rows = [
        as_json(Score.of(score(31, level=Level.WARNING))),
        as_json(Score.of(score(30, status=Verdict.WARMING_UP))),
    ]

    result = run(scores, page(*rows), "--asset", "a")

    assert result.exit_code == 0
    first, second = (line for line in result.stdout.splitlines() if "01-01" in line)
    assert "12 of 30 cycles" in first
    assert "3.100" in second
    assert "run run-1" in result.stdout


def test_a_score_is_asked_for_by_argument_or_option_and_never_by_neither(
    run: Callable[..., Any],
) -> None:
    rows = [as_json(Score.of(score(31)))]
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("asset_id"))
        return page(*rows)(request)

    for arguments in (["a"], ["--asset", "a"], ["a", "--asset", "a"]):
        assert run(scores, answer, *arguments).exit_code == 0
    assert asked == ["a"] * 3
    for arguments in ([], ["a", "--asset", "b"]):
        result = run(scores, answer, *arguments)
        assert result.exit_code == 2
        assert "expected one" in result.stderr
    assert asked == ["a"] * 3


def test_a_plot_asks_for_scored_readings_only(run: Callable[..., Any]) -> None:
    rows = [
        as_json(Score.of(structs.replace(score(cycle), severity=severity)))
        for cycle, severity in ((32, 2.0), (31, 0.5))
    ]
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return page(*rows)(request)

    result = run(scores, answer, "a", "--plot")

    assert result.exit_code == 0
    assert asked == [{"asset_id": "a", "status": "scored", "limit": "1000"}]
    lines = result.stdout.splitlines()
    assert lines[0].startswith("a, run run-1: severity now 2.00")
    assert any(line.startswith("  1 ┤___") or line.startswith("1 ┤___") for line in lines)


def test_nothing_found_says_what_to_do(run: Callable[..., Any]) -> None:
    assert "surgeline replay" in run(alerts, page()).stdout
    assert "surgeline replay" in run(scores, page(), "--asset", "a").stdout


def test_a_refusal_is_one_line_with_the_reason(run: Callable[..., Any]) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(422, json={"detail": "query asset_id: wrong"})

    result = run(scores, refuse, "--asset", "..")

    assert result.exit_code == 2
    assert "query asset_id: wrong" in result.stderr
    assert "Traceback" not in result.stderr


def test_no_api_is_one_line_that_says_how_to_start_one(run: Callable[..., Any]) -> None:
    def nobody(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    result = run(alerts, nobody)

    assert result.exit_code == 2
    assert "surgeline up" in result.stderr


@pytest.mark.parametrize(
    ("command", "example"),
    [
        (alerts, "surgeline alerts --asset"),
        (scores, "surgeline scores FD001"),
        (assets, "surgeline assets --fleet"),
        (asset, "surgeline asset FD001"),
        (ack, "surgeline ack FD001"),
        (shelve, "surgeline shelve FD001"),
        (status, "until surgeline status"),
    ],
)
def test_help_teaches_by_example(
    run: Callable[..., Any], command: Callable[..., None], example: str
) -> None:
    result = run(command, page(), "--help")

    assert result.exit_code == 0
    assert example in result.stdout


def events(*alerts: int) -> bytes:
    return b"".join(
        f"id: id-{number}\r\nevent: raised\r\ndata: {number}\r\n\r\n".encode() for number in alerts
    )


class Breaking(httpx.SyncByteStream):
    """A body that ends in the middle of an event with a broken connection."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts
        raise httpx.ReadError("connection reset")


def test_following_goes_on_after_the_last_whole_event() -> None:
    """Cut in mid-event, ended politely, refused for a while: each time resumed where it was."""
    kind = {"Content-Type": "text/event-stream"}
    bodies = iter(
        [
            httpx.Response(200, headers=kind, content=b"id: beginning\r\n\r\n"),
            httpx.Response(200, headers=kind, stream=Breaking(events(1, 2), events(3)[:20])),
            httpx.Response(503, json={"detail": "database is locked"}),
            httpx.Response(200, headers=kind, content=b"id: id-2\r\n\r\n" + events(3)),
            httpx.Response(200, headers=kind, content=b"id: id-3\r\n\r\n: heartbeat\r\n\r\n"),
            httpx.Response(200, headers=kind, content=events(4)),
        ]
    )
    resumed: list[str | None] = []
    waits: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        resumed.append(request.headers.get("Last-Event-ID"))
        return next(bodies)

    client = ApiClient("http://api", httpx.MockTransport(answer))
    stream = client.follow(STREAM, {"asset_id": None}, lambda _why, wait: waits.append(wait), _no)

    assert list(islice(stream, 4)) == ["1", "2", "3", "4"]
    assert resumed == [None, "beginning", "id-2", "id-2", "id-3", "id-3"]
    assert waits == [0.5, 0.5, 1.0, 0.5, 0.5]


def test_followed_alerts_say_what_their_channels_measure(run: Callable[..., Any]) -> None:
    """The stream is the topic's own message; what it names is asked for once per fleet."""
    sent = [make_alert(cycle, fleet="FD001") for cycle in (40, 41)]
    body = "".join(f"id: 1\r\ndata: {each.to_json().decode()}\r\n\r\n" for each in sent)
    model = KnownModel(sent[0].model, TURBOFAN, 1.0, 2.0)
    fleet = FleetView.of(KnownFleet("FD001", "fd001", model)).model_dump(mode="json")
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path != STREAM:
            return httpx.Response(200, json=fleet)
        if asked.count(STREAM) > 1:
            raise KeyboardInterrupt
        kind = {"Content-Type": "text/event-stream"}
        return httpx.Response(200, headers=kind, content=body.encode())

    result = run(alerts, answer, "--follow")

    lines = [line for line in result.stdout.splitlines() if "FD001-test-001" in line]
    assert len(lines) == 2
    for line in lines:
        assert "T50 (total temperature at LPT outlet, °R) high 75%, Ps30 (static" in line
    assert asked == [STREAM, "/api/v1/machines/FD001", STREAM]


def _no(_seconds: float) -> None:
    """Do not wait."""


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(httpx.Response(404, json={"detail": "x"}), UserError, id="refused"),
        pytest.param(httpx.Response(500, text="<html>"), BackendUnavailableError, id="defect"),
        pytest.param(httpx.ConnectError("refused"), BackendMissingError, id="nobody"),
    ],
)
def test_a_stream_that_never_began_is_an_error(
    answer: httpx.Response | Exception, error: type[Exception]
) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = ApiClient("http://api", httpx.MockTransport(respond))

    with pytest.raises(error):
        next(client.follow(STREAM, {}, lambda *_: None, _no))


def test_followed_alerts_are_printed_as_lines(run: Callable[..., Any]) -> None:
    alert = make_alert(40)
    body = f"id: 1\r\ndata: {alert.to_json().decode()}\r\n\r\n".encode()
    calls: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != STREAM:
            return httpx.Response(404, json={"detail": "an api of an earlier version"})
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=body)

    result = run(alerts, answer, "--follow")

    assert result.exit_code == 130
    (line,) = (line for line in result.stdout.splitlines() if "FD001-test-001" in line)
    assert "cycle 40" in line
    assert "T50 high 75%, Ps30 low 25%" in line
    assert json.loads(alert.to_json())["state"] in line


def test_commands_send_the_key_that_is_set(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURGELINE_API__KEY", "surgeline_0a1b2c3d_secret")
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("X-API-Key"))
        return httpx.Response(401, json={"detail": "This API key opens nothing."})

    result = run(alerts, answer)

    assert asked == ["surgeline_0a1b2c3d_secret"]
    assert result.exit_code == 2

"""Every query of dashboards and rules, asked of real servers that a real worker has filled."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import suppress

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from common.metering.names import OF_API, OF_DETECTOR
from common.metering.spec import MetricSpec
from common.settings import KafkaSettings, RedisSettings
from deploy.dashboards.model import Query, Variable
from deploy.dashboards.writing import DASHBOARDS
from tests.support.grafana import Look, filled
from tests.support.observed import NOBODY, OTHER_FLEET, RUN, Observed, observed
from tests.support.servers.backends import wait_until
from tests.support.servers.prometheus import FOLDER

pytestmark = pytest.mark.slow

QUERIES = [
    pytest.param(query, id=f"{board.name}: {whose}: {query.legend or number}")
    for board in DASHBOARDS
    for number, (whose, query) in enumerate(board.queries)
]
VARIABLES = {variable.name: variable for board in DASHBOARDS for variable in board.variables}
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "rules" / "surgeline.yml").read_text())["groups"]
    for rule in group["rules"]
]
SELECTOR = re.compile(r"\b((?:surgeline[_:][\w:]+|up)(?:\{[^}]*\})?)")


@pytest.fixture(scope="module")
def installation(
    broker: str, valkey: str, postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Observed]:
    """One installation for all of them: nothing is changed by a question."""
    name = uuid.uuid4().hex[:12]
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=f"test-{name}", partitions=4)
    redis = RedisSettings.model_validate({"url": valkey, "key_prefix": f"test:{name}"})
    with observed(kafka, redis, postgres, tmp_path_factory.mktemp("observed")) as found:
        yield found


def rows(installation: Observed, query: Query, look: Look) -> list[object]:
    """What a query brings."""
    text = filled(query.text, query.source.type, look)
    match query.source.type:
        case "influxdb":
            return list(installation.influx_rows(text))
        case "postgres":
            return list(installation.alarm_rows(text))
        case _:
            return list(installation.prometheus.rows(text))


@pytest.mark.parametrize("query", QUERIES)
def test_every_panel_has_something_to_show(installation: Observed, query: Query) -> None:
    """Of one machine at least: not every one has every verdict."""
    assert any(rows(installation, query, look) for look in installation.looks()), query.text


def test_a_query_of_something_that_is_not_there_brings_nothing(installation: Observed) -> None:
    query = next(query for _, query in DASHBOARDS[1].queries if "severity" in query.text)
    renamed = Query(query.source, query.text.replace("severity", "harshness"))

    assert not any(rows(installation, renamed, look) for look in installation.looks())


def listed(installation: Observed, variable: Variable, look: Look) -> list[str]:
    """The values a drop-down list offers."""
    text = filled(variable.text, variable.source.type, look)
    if variable.source.type == "influxdb":
        return [row[1] for row in installation.influx_rows(text)]
    match = re.fullmatch(r"label_values\((\w+), (\w+)\)", text)
    assert match is not None, text
    values: list[str] = installation.prometheus.ask(
        f"label/{match[2]}/values", **{"match[]": match[1]}
    )
    return values


def test_the_lists_offer_fleets_assets_and_runs(installation: Observed) -> None:
    looks = list(installation.looks())

    assert {"default", OTHER_FLEET} <= set(listed(installation, VARIABLES["fleet"], looks[0]))
    by_fleet = {
        look.chosen["fleet"]: set(listed(installation, VARIABLES["asset"], look)) for look in looks
    }
    assert by_fleet[".*"] == set(installation.assets)
    assert by_fleet["default"] | by_fleet[OTHER_FLEET] == by_fleet[".*"]
    assert not by_fleet["default"] & by_fleet[OTHER_FLEET]
    assert all(listed(installation, VARIABLES["run"], look) == [RUN] for look in looks)
    assert VARIABLES.keys() == {"fleet", "asset", "run"}


@pytest.mark.parametrize("rule", [pytest.param(r, id=r.get("record") or r["alert"]) for r in RULES])
def test_every_rule_looks_at_something(installation: Observed, rule: dict[str, str]) -> None:
    """A recorded value is there; each part of an alert's condition is, whether it holds or not."""
    asked = [rule["expr"]] if "record" in rule else SELECTOR.findall(rule["expr"])

    assert asked
    for expression in asked:
        assert installation.prometheus.rows(expression), expression


def test_prometheus_has_taken_all_rules(installation: Observed) -> None:
    (group,) = installation.prometheus.ask("rules")["groups"]

    assert len(group["rules"]) == len(RULES)
    assert {rule["health"] for rule in group["rules"]} == {"ok"}


def test_alerts_speak_of_what_is_spoilt_here_and_of_nothing_else(installation: Observed) -> None:
    """Pending or firing: some of these few readings are bad, and one receiver takes nothing."""

    def active() -> list[dict[str, str]]:
        alerts = installation.prometheus.ask("alerts")["alerts"]
        labels: list[dict[str, str]] = [each["labels"] for each in alerts]
        return sorted(labels, key=lambda each: each["alertname"])

    expected = [
        {"alertname": "SurgelineDeadLetters", "severity": "warning"},
        {"alertname": "SurgelineNotificationsFailing", "severity": "warning", "receiver": NOBODY},
    ]
    # a look that took more than its second on a busy machine is an alert until the next one
    with suppress(TimeoutError):
        wait_until(lambda: active() == expected, "these two alerts")
    assert active() == expected


@pytest.mark.parametrize("service", ["worker", "api"])
def test_every_metric_of_the_list_is_on_the_page_and_no_other(
    installation: Observed, service: str
) -> None:
    page = installation.worker_page if service == "worker" else installation.api_page
    specs: tuple[MetricSpec, ...] = OF_DETECTOR if service == "worker" else OF_API
    families = {
        family.name: family
        for family in text_string_to_metric_families(page)
        if not family.name.startswith("process_") and not family.name.endswith("_created")
    }

    assert families.keys() == {spec.name for spec in specs}
    for spec in specs:
        family = families[spec.name]
        assert (family.type, family.documentation) == (spec.kind, spec.meaning)
        assert any(sample.name == spec.series for sample in family.samples), spec.name
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == set(spec.label_names)

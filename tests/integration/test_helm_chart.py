"""The Helm chart: rendered by Helm, checked against Kubernetes' own schemas, no cluster needed.

What no schema here knows (KEDA's ScaledObject, the operator's ServiceMonitor) is named below, and
its fields are compared with what the chart was told.
"""

from __future__ import annotations

import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml

from common.settings import load_settings
from common.topics import Topics
from tests.support.programs import REPOSITORY, helm

CHART = REPOSITORY / "deploy" / "helm" / "surgeline"
OLDEST, NEWEST = "1.27", "1.34"
WITHOUT_SCHEMA = {"ScaledObject", "ServiceMonitor"}
GIVEN = {
    "image.repository": "registry.example/surgeline",
    "existingSecret": "surgeline-secrets",
    "settings.SURGELINE_KAFKA__BOOTSTRAP_SERVERS": "kafka-1.example:9092",
    "settings.SURGELINE_SCORES__INFLUX_URL": "https://influx.example",
}
EVERYTHING = {
    "autoscaling.enabled": "true",
    "serviceMonitor.enabled": "true",
    "api.replicas": "2",
    "api.allowedHosts": "surgeline.internal",
    "api.ingress.enabled": "true",
    "api.ingress.host": "surgeline.example",
    "api.ingress.tlsSecret": "surgeline-tls",
    "provision.retentionDays": "0",
    "image.pullSecrets[0]": "registry",
    "networkPolicy.ingressFrom[0].namespaceSelector.matchLabels.name": "monitoring",
    "extraVolumes[0].name": "models",
    "extraVolumes[0].configMap.name": "models",
    "extraVolumeMounts[0].name": "models",
    "extraVolumeMounts[0].mountPath": "/models",
}
SECRETS = {
    "SURGELINE_REDIS__URL": "rediss://user:secret@redis.example:6380/0",
    "SURGELINE_ALERTS__URL": "postgresql+asyncpg://user:secret@postgres.example/surgeline",
    "SURGELINE_SCORES__INFLUX_TOKEN": "secret",
}

Object = dict[str, Any]
choices = pytest.mark.parametrize("more", [{}, EVERYTHING], ids=["default", "everything"])


def run(values: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    given = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    return subprocess.run(
        [helm(), *arguments, str(CHART), *given], capture_output=True, text=True, check=False
    )


def render(more: dict[str, str], version: str = NEWEST) -> dict[tuple[str, str], Object]:
    """The chart's objects by kind and name."""
    done = run(GIVEN | more, "template", "plant", "--kube-version", version)
    assert done.returncode == 0, done.stderr
    objects = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def pods(objects: dict[tuple[str, str], Object]) -> dict[str, Object]:
    """Pod specifications by the name of what makes them."""
    return {
        name: each["spec"]["template"]["spec"]
        for (kind, name), each in objects.items()
        if kind in ("Deployment", "Job")
    }


def environment(pod: Object) -> dict[str, str]:
    (container,) = pod["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


@choices
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_object_fits_the_schema_of_its_kind(more: dict[str, str], version: str) -> None:
    objects = render(more, version)

    for (kind, _), each in objects.items():
        if kind not in WITHOUT_SCHEMA:
            kubernetes_validate.validate(each, version, strict=True)
    assert {kind for kind, _ in objects} & WITHOUT_SCHEMA == (WITHOUT_SCHEMA if more else set())


def test_the_schemas_do_notice_what_is_wrong() -> None:
    deployment = render({})[("Deployment", "plant-detector")]
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(deployment, NEWEST, strict=True)


def test_helm_has_nothing_to_say_against_it() -> None:
    done = run(GIVEN, "lint", "--strict")

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("missing", sorted(GIVEN))
def test_it_is_refused_while_something_is_not_given(missing: str) -> None:
    values = {name: value for name, value in GIVEN.items() if name != missing}

    done = run(values, "template", "plant")

    assert done.returncode != 0
    assert missing.split(".")[-1] in done.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        {"detector.replica": "3"},
        {"settings.KAFKA": "x"},
        {"autoscaling.maxReplicas": "0"},
        {"imag.tag": "1"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_misspelt_value_is_refused(wrong: dict[str, str]) -> None:
    done = run(GIVEN | wrong, "template", "plant")

    assert done.returncode != 0
    assert "schema" in done.stderr


@choices
def test_every_variable_is_a_setting_and_all_together_are_accepted(more: dict[str, str]) -> None:
    for name, pod in pods(render(more)).items():
        settings = load_settings(environment(pod) | SECRETS)

        assert settings.scores.backend == "influx", name
        assert settings.kafka.bootstrap_servers == "kafka-1.example:9092"
        assert settings.kafka.replication_factor == 3


@choices
def test_no_secret_is_in_the_chart_and_all_come_by_reference(more: dict[str, str]) -> None:
    objects = render(more)

    assert "Secret" not in {kind for kind, _ in objects}
    for pod in pods(objects).values():
        (container,) = pod["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": "surgeline-secrets"}}]
        assert not environment(pod).keys() & SECRETS.keys()


@choices
def test_every_pod_is_held_tightly(more: dict[str, str]) -> None:
    for pod in pods(render(more)).values():
        (container,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert container["image"] == "registry.example/surgeline:0.1.0"


def test_services_budgets_and_policies_select_the_pods_they_are_for() -> None:
    objects = render(EVERYTHING)
    labels = {
        name: each["spec"]["template"]["metadata"]["labels"]
        for (kind, name), each in objects.items()
        if kind in ("Deployment", "Job")
    }

    def chosen(selector: dict[str, str]) -> set[str]:
        return {name for name, own in labels.items() if selector.items() <= own.items()}

    for (kind, name), each in objects.items():
        spec = each["spec"]
        if kind == "Service":
            assert chosen(spec["selector"]) == {name}
        if kind in ("PodDisruptionBudget", "Deployment"):
            assert chosen(spec["selector"]["matchLabels"]) == {name}
        if kind == "NetworkPolicy":
            assert chosen(spec["podSelector"]["matchLabels"]) == set(labels)
            assert spec["policyTypes"] == ["Ingress", "Egress"]
            assert {port["port"] for port in spec["ingress"][0]["ports"]} == {8080, 8081}


def test_probes_and_services_meet_at_the_port_the_program_listens_on() -> None:
    objects = render({})
    for name, pod in pods(objects).items():
        (container,) = pod["containers"]
        if "ports" not in container:
            assert name == "plant-provision"
            continue
        settings = load_settings(environment(pod) | SECRETS)
        port = settings.api.port if name == "plant-api" else settings.detector.http_port
        assert container["ports"] == [{"name": "http", "containerPort": port}]
        assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "http"}
        assert container["livenessProbe"]["httpGet"] == {"path": "/health", "port": "http"}

    api = load_settings(environment(pods(objects)["plant-api"]) | SECRETS).api
    (port,) = objects[("Service", "plant-detector")]["spec"]["ports"]
    assert api.detector_url == f"http://plant-detector:{port['port']}"
    assert "plant-api" in api.allowed_hosts


def test_workers_are_scaled_by_the_lag_of_their_own_group_and_topic() -> None:
    more = EVERYTHING | {
        "settings.SURGELINE_KAFKA__TOPIC_PREFIX": "plant",
        "settings.SURGELINE_DETECTOR__GROUP_ID": "crew",
    }
    objects = render(more)
    deployment = objects[("Deployment", "plant-detector")]
    settings = load_settings(environment(pods(objects)["plant-detector"]) | SECRETS)
    spec = objects[("ScaledObject", "plant-detector")]["spec"]
    (trigger,) = spec["triggers"]

    assert "replicas" not in deployment["spec"]  # else each upgrade would undo the scaling
    assert spec["scaleTargetRef"] == {"name": "plant-detector"}
    assert trigger["metadata"]["topic"] == Topics(settings.kafka.topic_prefix).readings
    assert trigger["metadata"]["consumerGroup"] == settings.detector.group_id == "crew"
    assert trigger["metadata"]["bootstrapServers"] == settings.kafka.bootstrap_servers


def test_what_is_missing_is_made_before_the_rest_is_installed() -> None:
    job = render(EVERYTHING)[("Job", "plant-provision")]
    (container,) = job["spec"]["template"]["spec"]["containers"]

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert container["command"] == ["surgeline", "provision", "--retention-days", "0"]

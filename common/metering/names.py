"""Every metric, once. Names written elsewhere are defects; a test looks for them.

A label's values come from a list of ours (verdicts, reasons, steps, fleets of the file), from the
broker (partition numbers) or from the routes of the api. What a message says never becomes one:
an asset id or a made-up fleet would be a new series for each stranger.
"""

from __future__ import annotations

from typing import Final

from common.errors import RejectReason
from common.metering.spec import CounterSpec, GaugeSpec, HistogramSpec, Label, MetricSpec
from common.records.alerts import Transition
from common.records.verdicts import Level, Verdict

UNKNOWN_FLEET: Final = "unknown"
"""In metrics: whatever a message says, there is one label for each fleet we know, and this one."""

OTHER: Final = "other"
"""Of methods and routes: anything may be sent as one."""

SINKS: Final = ("score_store", "state_store", "broker")
"""Where the detector writes."""

SINK_OF_STEP: Final = {
    "write_scores": "score_store",
    "read_states": "state_store",
    "claim": "state_store",
    "intend": "state_store",
    "write_states": "state_store",
    "publish_evidence": "broker",
    "publish": "broker",
}
"""Which backend a failing step blames; the other steps need several."""

STEPS: Final = (
    "decode",
    "read_states",
    "look_back",
    "rebuild",
    "catch_up",
    "claim",
    "assemble",
    "score",
    "conclude",
    "evidence",
    "publish_evidence",
    "intend",
    "write_scores",
    "publish",
    "write_states",
)
"""Of the protocol, in its order (docs/architecture.md)."""

TRIED_STEPS: Final = tuple(
    step for step in STEPS if step not in ("decode", "assemble", "score", "conclude", "evidence")
)
"""Steps that ask a backend, and are tried again while it is down."""

LATENCY_BOUNDS_S: Final = tuple(round(0.001 * 1.25**step, 6) for step in range(56))
"""From 1 ms to about 210 s, each 25 % wider: a quantile read off them is within 25 %."""

STEP_BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30, 300)
"""A step takes milliseconds, or minutes while its backend is down."""

REQUEST_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

SCORING_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""A window takes milliseconds, a large file a minute."""

SCORING_FAILURES: Final = (
    "scoring_busy",
    "scoring_too_slow",
    "scoring_failed",
    "model_unreadable",
    "defect",
)
"""Why the scoring process gave no answer (docs/api.md)."""

STATUS: Final = Label("status", "the verdicts", tuple(Verdict))
FLEET: Final = Label("fleet", f"the file of fleets; `{UNKNOWN_FLEET}` for any other")
STATE: Final = Label("state", "an alarm's transitions", tuple(Transition))
LEVEL: Final = Label("level", "the levels of an alert", (Level.WARNING, Level.CRITICAL))
REASON: Final = Label("reason", "the reasons of dead letters", tuple(RejectReason))
STEP: Final = Label("step", "the steps of the protocol", STEPS)
TRIED: Final = Label("step", "the steps that ask a backend", TRIED_STEPS)
SINK: Final = Label("sink", "the backends", SINKS)
PARTITION: Final = Label("partition", "the partitions this worker owns")
MODEL: Final = Label("model", "the artifacts of the fleets")
VERSION: Final = Label("version", "their versions; of a service, its own")
SHA256: Final = Label("sha256", "their digests, 12 digits")
SERVICE: Final = Label("service", "the services", ("detector", "api", "ingest"))
REFUSED: Final = Label("reason", "why a message becomes no reading (docs/ingest.md)")
ENDED: Final = Label("state", "how a replay can end", ("done", "stopped", "failed", "interrupted"))
METHOD: Final = Label("method", f"HTTP's own methods; `{OTHER}` for any other")
ROUTE: Final = Label("route", f"the patterns of the api's routes; `{OTHER}` for any other")
RECEIVER: Final = Label("receiver", "the file of receivers (docs/notifications.md)")
QUESTION: Final = Label("question", "what is asked", ("windows", "readings", "csv", "whatif"))
UNANSWERED: Final = Label("reason", "why there was no answer", SCORING_FAILURES)
HTTP_STATUS: Final = Label("status", "the statuses the api answers with")

# --- of the detector

READINGS: Final = CounterSpec(
    "surgeline_readings", "Messages taken from the readings topic, usable or not."
)
VERDICTS: Final = CounterSpec("surgeline_verdicts", "Readings by verdict.", (STATUS,))
FLEET_VERDICTS: Final = CounterSpec(
    "surgeline_fleet_verdicts", "Readings by fleet and verdict.", (FLEET, STATUS)
)
HELD: Final = CounterSpec(
    "surgeline_held_readings", "Readings in which an earlier value stands in for a missing one."
)
BRIDGED: Final = CounterSpec(
    "surgeline_bridged_readings", "Readings before which cycles are missing that a window spans."
)
ALERTS: Final = CounterSpec("surgeline_alerts", "Alerts published.", (STATE, LEVEL))
DEAD_LETTERS: Final = CounterSpec("surgeline_dead_letters", "Dead letters by reason.", (REASON,))
LATENCY: Final = HistogramSpec(
    "surgeline_latency_seconds",
    "From a reading's arrival at the broker to its stored verdict.",
    bounds=LATENCY_BOUNDS_S,
)
BATCH_ROWS: Final = HistogramSpec(
    "surgeline_batch_rows",
    "Readings in a micro-batch.",
    bounds=(1, 4, 16, 64, 256, 1024, 4096, 16384),
)
IN_HAND: Final = GaugeSpec(
    "surgeline_batches_in_hand",
    "Micro-batches being processed: 0 when everything received is stored and published.",
)
STEP_SECONDS: Final = HistogramSpec(
    "surgeline_step_seconds",
    "Time spent in each step of the protocol, waits for a backend that is down included.",
    (STEP,),
    bounds=STEP_BOUNDS_S,
)
LAG: Final = GaugeSpec(
    "surgeline_consumer_lag",
    "Messages of a partition behind which this worker is, as the last fetch from it said.",
    (PARTITION,),
)
PARTITIONS: Final = GaugeSpec("surgeline_partitions", "Partitions this worker owns.")
READY: Final = GaugeSpec("surgeline_ready", "1 while /ready says so.")
PAUSED: Final = GaugeSpec("surgeline_paused", "1 while a backend is down and consumption waits.")
RETRIES: Final = CounterSpec("surgeline_retries", "Failed tries that were repeated.", (TRIED,))
SINK_ERRORS: Final = CounterSpec(
    "surgeline_sink_errors", "Failed tries by the backend that failed.", (SINK,)
)
SINK_DOWN: Final = GaugeSpec(
    "surgeline_sink_down", "1 while the last try at a backend has failed.", (SINK,)
)
STALE_STATES: Final = CounterSpec(
    "surgeline_stale_states", "States not written because another worker had gone on."
)
REBUILDS: Final = CounterSpec(
    "surgeline_rebuilds", "Partitions whose lost states were rebuilt from the topic."
)
LOST_STATES: Final = CounterSpec(
    "surgeline_lost_states",
    "Single states that were missing, or older than they had been, rebuilt from the topic.",
)
UNREADABLE_STATES: Final = CounterSpec(
    "surgeline_unreadable_states",
    "States that were not written by this program, rebuilt from the topic.",
)
TOPICS_MADE_ANEW: Final = CounterSpec(
    "surgeline_topics_made_anew",
    "Partitions of the readings topic that were deleted and made anew.",
)
RUNS_OPENED: Final = CounterSpec(
    "surgeline_runs_opened_by_rule",
    "Runs opened because a source's counter restarted or had jumped.",
)
ALERTS_ADOPTED: Final = CounterSpec(
    "surgeline_alerts_adopted",
    "Alerts of a worker with another model or other settings, published to the end.",
)
FLEETS_LOADED: Final = CounterSpec("surgeline_fleets_loaded", "Times the fleets were loaded anew.")
FLEETS_REFUSED: Final = CounterSpec(
    "surgeline_fleets_refused", "Times new fleets were refused, and those before stayed."
)
MODEL_INFO: Final = GaugeSpec(
    "surgeline_model_info", "1 for the model of each fleet.", (FLEET, MODEL, VERSION, SHA256)
)

# --- of the api

API_PROJECTED: Final = CounterSpec(
    "surgeline_api_alerts_projected", "Alerts that were new to the history."
)
API_REPEATED: Final = CounterSpec(
    "surgeline_api_alerts_repeated", "Alerts that were delivered again and left alone."
)
API_GAPS: Final = CounterSpec(
    "surgeline_api_alert_gaps", "Times alerts had expired from the topic before they were read."
)
API_EVIDENCE_PROJECTED: Final = CounterSpec(
    "surgeline_api_evidence_projected", "Evidence of alerts that was new to the history."
)
API_EVIDENCE_REPEATED: Final = CounterSpec(
    "surgeline_api_evidence_repeated", "Evidence that was delivered again and left alone."
)
API_EVIDENCE_GAPS: Final = CounterSpec(
    "surgeline_api_evidence_gaps",
    "Times evidence had expired from its topic before it was read.",
)
API_PROJECTION_FAILURES: Final = CounterSpec(
    "surgeline_api_projection_failures",
    "Times the projection of alerts or evidence failed and started over, or the history took none.",
)
API_SUBSCRIBERS: Final = GaugeSpec("surgeline_api_sse_subscribers", "Open alert streams.")
API_EVENTS: Final = CounterSpec("surgeline_api_sse_events", "Alerts sent on streams.")
API_REQUEST_SECONDS: Final = HistogramSpec(
    "surgeline_api_request_seconds",
    "Time to the first byte of the answer.",
    (METHOD, ROUTE, HTTP_STATUS),
    bounds=REQUEST_BOUNDS_S,
)
API_SCORING_SECONDS: Final = HistogramSpec(
    "surgeline_api_scoring_seconds",
    "Time from a question to the scoring process to its answer, its wait for others included.",
    (QUESTION,),
    bounds=SCORING_BOUNDS_S,
)
API_SCORING_OPEN: Final = GaugeSpec(
    "surgeline_api_scoring_open", "Questions to the scoring process without an answer yet."
)
API_SCORING_FAILURES: Final = CounterSpec(
    "surgeline_api_scoring_failures",
    "Questions that the scoring process did not answer, by reason.",
    (UNANSWERED,),
)
API_REPLAYS_RUNNING: Final = GaugeSpec("surgeline_api_replays_running", "Replays that run.")
API_REPLAYS_ENDED: Final = CounterSpec(
    "surgeline_api_replays_ended", "Replays that have ended, by how.", (ENDED,)
)
API_REPLAYED: Final = CounterSpec(
    "surgeline_api_replayed_readings", "Readings that replays of this api have sent."
)

API_NOTES_DELIVERED: Final = CounterSpec(
    "surgeline_api_notifications_delivered", "Alerts that a receiver was told of.", (RECEIVER,)
)
API_NOTE_FAILURES: Final = CounterSpec(
    "surgeline_api_notification_failures",
    "Alerts that a receiver did not take, each try.",
    (RECEIVER,),
)
API_NOTES_WAITING: Final = GaugeSpec(
    "surgeline_api_notifications_waiting", "Alerts a receiver is yet to be told of.", (RECEIVER,)
)
API_NOTES_GIVEN_UP: Final = GaugeSpec(
    "surgeline_api_notifications_given_up",
    "Alerts of the last days that a receiver could not be told of and will not be.",
    (RECEIVER,),
)

API_WATCHED: Final = GaugeSpec(
    "surgeline_api_watched_assets", "Assets that are watched for silence.", (FLEET,)
)
API_SILENT: Final = GaugeSpec(
    "surgeline_api_silent_assets",
    "Assets of which no reading, or no score, came in time.",
    (FLEET,),
)

# --- of an ingest

INGEST_MESSAGES: Final = CounterSpec(
    "surgeline_ingest_messages", "Messages taken from the source's topic."
)
INGEST_READINGS: Final = CounterSpec("surgeline_ingest_readings", "Readings sent and acknowledged.")
INGEST_REFUSED: Final = CounterSpec(
    "surgeline_ingest_refused", "Records that became no reading, by reason.", (REFUSED,)
)
INGEST_UNZONED: Final = CounterSpec(
    "surgeline_ingest_unzoned", "Readings whose time had no zone and was taken as UTC."
)
INGEST_BEHIND: Final = GaugeSpec(
    "surgeline_ingest_behind", "Messages of the source's topic that were not taken yet."
)

# --- of every service

BUILD_INFO: Final = GaugeSpec("surgeline_build_info", "1 for what runs.", (SERVICE, VERSION))

OF_DETECTOR: Final[tuple[MetricSpec, ...]] = (
    READINGS,
    VERDICTS,
    FLEET_VERDICTS,
    HELD,
    BRIDGED,
    ALERTS,
    DEAD_LETTERS,
    LATENCY,
    BATCH_ROWS,
    IN_HAND,
    STEP_SECONDS,
    LAG,
    PARTITIONS,
    READY,
    PAUSED,
    RETRIES,
    SINK_ERRORS,
    SINK_DOWN,
    STALE_STATES,
    REBUILDS,
    LOST_STATES,
    UNREADABLE_STATES,
    TOPICS_MADE_ANEW,
    RUNS_OPENED,
    ALERTS_ADOPTED,
    FLEETS_LOADED,
    FLEETS_REFUSED,
    MODEL_INFO,
    BUILD_INFO,
)

OF_API: Final[tuple[MetricSpec, ...]] = (
    API_PROJECTED,
    API_REPEATED,
    API_GAPS,
    API_EVIDENCE_PROJECTED,
    API_EVIDENCE_REPEATED,
    API_EVIDENCE_GAPS,
    API_PROJECTION_FAILURES,
    API_SUBSCRIBERS,
    API_EVENTS,
    API_REQUEST_SECONDS,
    API_SCORING_SECONDS,
    API_SCORING_OPEN,
    API_SCORING_FAILURES,
    API_REPLAYS_RUNNING,
    API_REPLAYS_ENDED,
    API_REPLAYED,
    API_NOTES_DELIVERED,
    API_NOTE_FAILURES,
    API_NOTES_WAITING,
    API_NOTES_GIVEN_UP,
    API_WATCHED,
    API_SILENT,
    BUILD_INFO,
)

OF_INGEST: Final[tuple[MetricSpec, ...]] = (
    INGEST_MESSAGES,
    INGEST_READINGS,
    INGEST_REFUSED,
    INGEST_UNZONED,
    INGEST_BEHIND,
    BUILD_INFO,
)

OF_ALL: Final[dict[str, tuple[MetricSpec, ...]]] = {
    "Detector": OF_DETECTOR,
    "Api": OF_API,
    "Ingest": OF_INGEST,
}
"""By service, as people call it."""

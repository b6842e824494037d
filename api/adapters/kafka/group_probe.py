"""Asks the broker how the detector's consumer group is, and how far it has read.

One worker's own ``/ready`` cannot know of another that is frozen. The broker knows its members,
and what they have committed. The local broker does not say who owns which partition: there a
partition that is nobody's shows by standing still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest

from api.progress import GroupProgress, GroupView, Reach
from common.clock import Clock
from common.errors import BackendUnavailableError, NotKnownError
from common.links.kafka import make_admin
from common.settings import KafkaSettings
from common.topics import Topics

FRESH_S: Final = 2.0
"""How long an answer is used again, s: ``/ready`` may be asked often."""

FETCH_WAIT_MS: Final = 10
"""How long the broker may wait for data at the end; the local broker never answers to 0."""

READ_COMMITTED: Final = 1


class KafkaGroupProbe:
    """Looks at one group on the readings topic; keeps what it saw, to tell what stands still.

    Args:
        settings: The broker and its topics.
        group_id: The detector's group.
        clock: Tells how long something has lasted.
    """

    def __init__(self, settings: KafkaSettings, group_id: str, clock: Clock) -> None:
        self._settings = settings
        self._topic = Topics(settings.topic_prefix).readings
        self._group_id = group_id
        self._clock = clock
        self._progress = GroupProgress()
        self._admin: Any = None
        self._busy = asyncio.Lock()
        self._answer: tuple[float, str | None] | None = None
        self._is_known = True

    async def ping(self) -> None:
        """Return when the group moves on; see the port."""
        async with self._busy:
            asked_at = self._clock.monotonic()
            if self._answer is None or asked_at - self._answer[0] > FRESH_S:
                self._answer = (asked_at, await self._look())
            problem = self._answer[1]
            kind = BackendUnavailableError if self._is_known else NotKnownError
        if problem is not None:
            raise kind(f"{self._group_id}: {problem}")

    async def close(self) -> None:
        """Close the connection."""
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()

    async def _look(self) -> str | None:
        try:
            view = await self._view()
        except (KafkaError, OSError, ValueError, LookupError) as exc:
            await self.close()
            self._is_known = False
            why = str(exc) or type(exc).__name__
            return f"unknown: {self._settings.bootstrap_servers} does not say ({why})"
        self._is_known = True
        return self._progress.problem(view, self._clock.monotonic())

    async def _view(self) -> GroupView:
        admin = await self._connected()
        leaders = await self._leaders(admin)
        state, assignments = await self._group(admin)
        return GroupView(
            state=state,
            members=len(assignments),
            owned=owned_partitions(assignments, self._topic),
            reaches=await self._reaches(admin, leaders),
        )

    async def _connected(self) -> Any:
        if self._admin is None:
            admin = make_admin(self._settings)
            try:
                await admin.start()
            except BaseException:
                await admin.close()  # also when cancelled: it would complain at exit
                raise
            self._admin = admin
        return self._admin

    async def _leaders(self, admin: Any) -> dict[int, int]:
        """Return each partition's leader. The public call would make a topic that is missing."""
        answer = await admin._send_request(MetadataRequest([self._topic], False))
        (topic,) = answer.to_object()["topics"]
        _check(topic["error_code"], f"topic {self._topic}")
        return {each["partition"]: each["leader"] for each in topic["partitions"]}

    async def _group(self, admin: Any) -> tuple[str, Sequence[bytes]]:
        """Return the group's state, and of each member what the leader assigned to it."""
        (answer,) = await admin.describe_consumer_groups([self._group_id])
        error_code, _, state, _, _, members, *_ = answer.groups[0]
        _check(error_code, f"group {self._group_id}")
        return state, [member[-1] or b"" for member in members]

    async def _reaches(self, admin: Any, leaders: dict[int, int]) -> dict[int, Reach]:
        wanted = [TopicPartition(self._topic, number) for number in leaders]
        stored = await admin.list_consumer_group_offsets(self._group_id, partitions=wanted)
        committed = {where.partition: max(0, at.offset) for where, at in stored.items()}
        found: dict[int, Reach] = {}
        for node in set(leaders.values()):
            numbers = [number for number, leader in leaders.items() if leader == node]
            asked = [(number, committed.get(number, 0), 1) for number in numbers]
            request = FetchRequest(FETCH_WAIT_MS, 0, 1, READ_COMMITTED, [(self._topic, asked)])
            answer = await admin._send_request_to_node(node, request)
            for _, partitions in answer.topics:
                for number, error_code, _, stable_end, start, *_ in partitions:
                    if error_code == 0:
                        at = max(committed.get(number, 0), start)  # older ones have expired
                        found[number] = Reach(at, stable_end)
        return found


def owned_partitions(assignments: Sequence[bytes], topic: str) -> frozenset[int] | None:
    """Return the partitions of a topic that members own; none where the broker does not say.

    Args:
        assignments: What the broker says of each member: Kafka's consumer protocol, or nothing.
        topic: The topic.
    """
    if not all(assignments):
        return None
    return frozenset(
        where.partition
        for assignment in assignments
        for where in ConsumerProtocolMemberAssignment.decode(assignment).partitions()
        if where.topic == topic
    )


def _check(error_code: int, what: str) -> None:
    if error_code:
        raise for_code(error_code)(what)

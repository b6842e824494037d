"""A real Valkey Cluster on this machine: masters, replicas, and what may befall them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from common.settings import RedisSettings
from deploy.local.programs import LOOPBACK, free_port, valkey_command
from tests.support.servers.backends import build, wait_until
from tests.support.servers.own_server import OwnServer

SLOTS: Final = 16384
NODE_TIMEOUT_MS: Final = 1000
"""After so much silence a node of a cluster that tests disturb is taken for dead."""

UNDISTURBED_MS: Final = 60_000
"""The same where none ever dies: one that does not get its turn on a busy machine is not dead."""


@dataclass
class Node:
    """One server of a cluster.

    Attributes:
        server: Its process.
        folder: Where its log and its view of the cluster are.
        bus_port: Where other nodes reach it.
    """

    server: OwnServer
    folder: Path
    bus_port: int

    @property
    def port(self) -> int:
        """Where clients reach it."""
        return self.server.port

    def ask(self, *command: str | bytes | int) -> Any:
        """Return its answer to a command."""
        with Redis(port=self.port, socket_timeout=5) as client:
            return client.execute_command(*command)

    def name(self) -> str:
        """Return what the cluster calls it."""
        answer = self.ask("CLUSTER MYID")
        return answer.decode() if isinstance(answer, bytes) else str(answer)

    def owns(self, slot: int) -> bool:
        """Whether it serves a slot."""
        mine = self.ask("CLUSTER NODES")[f"{LOOPBACK}:{self.port}"]["slots"]
        bounds = [(int(part[0]), int(part[-1])) for part in mine]
        return any(first <= slot <= last for first, last in bounds)

    def may_take_over(self) -> None:
        """Let this replica take its master's place once that is dead.

        Until it may, a master that does not get its turn on a busy machine stays what it is.
        """
        self.ask("CONFIG", "SET", "cluster-replica-no-failover", "no")

    def is_well(self) -> bool:
        """Whether it says that every slot is served."""
        try:
            return "ok" in str(self.ask("CLUSTER INFO")["cluster_state"])
        except (RedisError, OSError):
            return False

    def role(self) -> str:
        """Return `master` or `slave`, or nothing when it does not answer."""
        try:
            return str(self.ask("INFO", "replication")["role"])
        except (RedisError, OSError):
            return ""


@dataclass
class Cluster:
    """Masters that share the slots evenly, and replicas, in the order of their masters.

    Attributes:
        masters: The servers that were started as masters.
        replicas: Those started as replicas, none or one for each master.
    """

    masters: Sequence[Node]
    replicas: Sequence[Node]

    @property
    def nodes(self) -> Sequence[Node]:
        """All of them."""
        return [*self.masters, *self.replicas]

    def settings(self, prefix: str = "surgeline") -> RedisSettings:
        """Return settings under which a client finds it, whichever node is gone."""
        first, *others = self.nodes
        return RedisSettings.model_validate(
            {
                "url": f"redis://{LOOPBACK}:{first.port}/0",
                "cluster": True,
                "cluster_nodes": ",".join(f"{LOOPBACK}:{node.port}" for node in others),
                "key_prefix": prefix,
            }
        )

    def wait_well(self, *but: Node) -> None:
        """Return when all nodes say that every slot is served, but those that are gone."""
        asked = [node for node in self.nodes if node not in but]
        wait_until(lambda: all(map(Node.is_well, asked)), "a cluster that serves all", 60.0)

    def move(self, slots: Collection[int]) -> None:
        """Move slots, with what is in them, each to the next master."""
        names = [node.name() for node in self.masters]
        for slot in slots:
            owner = next(n for n, node in enumerate(self.masters) if node.owns(slot))
            source, number = self.masters[owner], (owner + 1) % len(self.masters)
            target = self.masters[number]
            target.ask("CLUSTER SETSLOT", slot, "IMPORTING", names[owner])
            source.ask("CLUSTER SETSLOT", slot, "MIGRATING", names[number])
            while keys := source.ask("CLUSTER GETKEYSINSLOT", slot, 100):
                source.ask("MIGRATE", LOOPBACK, target.port, "", 0, 5000, "KEYS", *keys)
            for node in (target, source, *self.masters):
                node.ask("CLUSTER SETSLOT", slot, "NODE", names[number])

    @contextmanager
    def lost_master(self, number: int) -> Iterator[Node]:
        """Kill a master for good with ``SIGKILL``; its replica has taken over when this begins.

        With the end of the block it comes back, as the replica's replica.
        """
        master, replica = self.masters[number], self.replicas[number]
        replica.may_take_over()
        with master.server.killed():
            wait_until(lambda: replica.role() == "master", "a replica has taken over", 60.0)
            self.wait_well(master)
            yield replica
        self.wait_well()

    @contextmanager
    def lost_shard(self, number: int) -> Iterator[Node]:
        """Kill a master that has no replica; with the end of the block it is there again, empty."""
        master = self.masters[number]
        with master.server.killed():
            yield master
        self.wait_well()


@contextmanager
def valkey_cluster(
    folder: Path, replicas: bool, masters: int = 3, node_timeout_ms: int = NODE_TIMEOUT_MS
) -> Iterator[Cluster]:
    """Run a cluster with nothing on disk but the nodes' view of each other.

    Args:
        folder: Where the nodes' files go.
        replicas: Whether each master has one.
        masters: How many there are.
        node_timeout_ms: After so much silence a node is taken for dead, ms.
    """
    with ExitStack() as stack:
        nodes = [
            _started(stack, folder / f"node-{number}", node_timeout_ms)
            for number in range(masters * (2 if replicas else 1))
        ]
        cluster = Cluster(nodes[:masters], nodes[masters:])
        _join(cluster)
        cluster.wait_well()
        yield cluster


def _started(stack: ExitStack, folder: Path, node_timeout_ms: int) -> Node:
    folder.mkdir(parents=True)
    port, bus_port = free_port(), free_port()
    command = [
        *build(lambda: valkey_command(port, folder)),
        *("--cluster-enabled", "yes"),
        *("--cluster-port", str(bus_port)),
        *("--cluster-node-timeout", str(node_timeout_ms)),
        *("--cluster-config-file", str(folder / "nodes.conf")),
        *("--cluster-replica-validity-factor", "0"),
        *("--cluster-replica-no-failover", "yes"),  # until a test wants it
        *("--repl-diskless-sync-delay", "0"),
    ]
    server = OwnServer(command, port, folder / "log")
    stack.enter_context(server.running())
    return Node(server, folder, bus_port)


def _join(cluster: Cluster) -> None:
    first, *others = cluster.nodes
    share = -(-SLOTS // len(cluster.masters))
    for number, node in enumerate(cluster.masters):
        begin, end = number * share, min((number + 1) * share, SLOTS) - 1
        node.ask("CLUSTER ADDSLOTSRANGE", begin, end)
    for number, node in enumerate(cluster.nodes, start=1):
        node.ask("CLUSTER SET-CONFIG-EPOCH", number)
    for node in others:
        node.ask("CLUSTER MEET", LOOPBACK, first.port, first.bus_port)
    count = len(cluster.nodes)
    known = lambda node: str(node.ask("CLUSTER INFO")["cluster_known_nodes"]) == str(count)  # noqa: E731
    wait_until(lambda: all(map(known, cluster.nodes)), "nodes that know each other")
    for master, replica in zip(cluster.masters, cluster.replicas, strict=False):
        _follow(replica, master)


def _follow(replica: Node, master: Node) -> None:
    name = master.name()
    deadline = time.monotonic() + 30
    while True:
        try:
            replica.ask("CLUSTER REPLICATE", name)
            break
        except RedisError:  # it has not heard of the master yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    wait_until(
        lambda: str(replica.ask("INFO", "replication").get("master_link_status")) == "up",
        "a replica that follows",
    )

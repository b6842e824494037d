"""One demo on a stack of its own: start it, measure, and take it down whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import httpx

from common.errors import StackError
from deploy.demo.measuring import Measuring, RunningStack
from deploy.demo.report import DemoReport
from deploy.demo.source import DemoSource
from deploy.demo.view import DemoView
from deploy.demo.waiting import unless_failed
from deploy.local.health import NO_AUTHORITIES
from deploy.local.programs import LOOPBACK
from deploy.local.stack import StackPlan
from deploy.local.supervisor import Supervisor


class DemoRun:
    """Runs one demo.

    Args:
        plan: The stack.
        source: What is replayed.
        speed: As for `surgeline replay`.
        view: Told how far it is.
    """

    def __init__(self, plan: StackPlan, source: DemoSource, speed: str, view: DemoView) -> None:
        self._plan = plan
        self._source = source
        self._speed = speed
        self._view = view
        self._supervisor = Supervisor(plan.stages, view.say, self._on_change)
        self._topics_lost: asyncio.Future[None] | None = None

    async def run(self) -> DemoReport:
        """Run it; on return, and whatever is raised, the stack is down.

        Raises:
            UserError: If the producer refused what it was asked.
            StackError: If a process died or nothing moved any more; says where to look.
        """
        self._topics_lost = asyncio.get_running_loop().create_future()
        keeping = asyncio.create_task(self._supervisor.run())
        try:
            return await unless_failed(self._work(), keeping, self._topics_lost)
        finally:
            self._supervisor.stop()
            await asyncio.gather(keeping, return_exceptions=True)

    def _on_change(self, boot: int, _pids: Mapping[str, int]) -> None:
        lost = self._topics_lost
        if boot and lost is not None and not lost.done():
            lost.set_exception(StackError(f"The demo's topics are lost. {self._where_to_look}"))

    async def _work(self) -> DemoReport:
        began = time.monotonic()
        await self._supervisor.until_ready()
        stack = RunningStack(
            environment=self._plan.service_environment(0),
            metrics_pages=self._metrics_pages,
            replay_log=self._plan.log("replay"),
            where_to_look=self._where_to_look,
            ready_s=time.monotonic() - began,
        )
        return await Measuring(stack, self._source, self._speed, self._view).run()

    @property
    def _where_to_look(self) -> str:
        return f"Look at the ends of the logs in {self._plan.log('detector').parent}"

    async def _metrics_pages(self) -> list[str]:
        async with httpx.AsyncClient(trust_env=False, verify=NO_AUTHORITIES) as client:
            return [
                (await client.get(f"http://{LOOPBACK}:{port}/metrics")).text
                for port in self._plan.addresses.detectors
            ]

"""Makes the way to each receiver: the one place that knows which kinds there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import assert_never

import httpx

from api.adapters.receivers.mail import MailWay
from api.adapters.receivers.webhook import AT_ONCE, WebhookWay
from api.notifications.ports import Way
from api.notifications.receivers import Mail, Receiver, Webhook
from common.clock import Clock
from common.settings import NotifySettings
from common.tls import tls_context


@asynccontextmanager
async def open_ways(
    receivers: Sequence[Receiver], settings: NotifySettings, clock: Clock
) -> AsyncIterator[Mapping[str, Way]]:
    """Yield the way to each receiver, by its name; close connections at the end.

    Raises:
        SettingsError: If a file of TLS cannot be used.
    """
    context = None
    if settings.mail.host and settings.mail.security != "none":
        context = tls_context(settings.mail.tls, "notify__mail")
    async with httpx.AsyncClient(
        verify=tls_context(settings.webhooks.tls, "notify__webhooks"),
        timeout=settings.timeout_s,
        follow_redirects=False,
        trust_env=False,
        limits=httpx.Limits(max_connections=AT_ONCE * max(1, len(receivers))),
    ) as client:

        def way(receiver: Receiver) -> Way:
            match receiver.way:
                case Webhook():
                    return WebhookWay(
                        receiver.way, client, settings.public_url, settings.timeout_s, clock
                    )
                case Mail():
                    return MailWay(receiver.name, receiver.way, settings, context, clock)
                case _:
                    assert_never(receiver.way)

        yield {receiver.name: way(receiver) for receiver in receivers}

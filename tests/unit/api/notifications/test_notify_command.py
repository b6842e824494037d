"""``surgeline notify``: what a person types to see whether notifications arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from typer.testing import CliRunner, Result

from api.commands.notify import app
from api.notifications.signing import read_secrets
from tests.support.receivers import MailServer, WebhookReceiver, mail_server, webhook_receiver
from tests.unit.api.notifications.test_signing import SECRET

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    def run_it(*arguments: str, file: str = "", **variables: str) -> Result:
        if file:
            (tmp_path / "who.toml").write_text(file)
            monkeypatch.setenv("SURGELINE_NOTIFY__FILE", str(tmp_path / "who.toml"))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("COLUMNS", "120")
        return CliRunner().invoke(app, list(arguments))

    return run_it


@contextmanager
def receivers(plan: Callable[[int], str]) -> Iterator[tuple[WebhookReceiver, MailServer]]:
    async def opened(stack: AsyncExitStack) -> tuple[WebhookReceiver, MailServer]:
        return (
            await stack.enter_async_context(webhook_receiver(plan)),
            await stack.enter_async_context(mail_server()),
        )

    with start_blocking_portal() as portal:
        stack = AsyncExitStack()
        try:
            yield portal.call(opened, stack)
        finally:
            portal.call(stack.aclose)


@pytest.mark.parametrize(
    ("answer", "said", "code"),
    [("200 OK", "HTTP 200", 0), ("503 x", "HTTP 503 Service Unavailable", 1)],
)
def test_each_receiver_is_sent_a_test_and_its_answer_shown(
    run: Run, answer: str, said: str, code: int
) -> None:
    with receivers(lambda _: answer) as (webhook, mail):
        done = run(
            "test",
            file=f'[receiver.chat]\nwebhook = "{webhook.url}"\n'
            '[receiver.shift]\nmail = ["a@plant.org"]\n',
            SURGELINE_NOTIFY__WEBHOOKS__SECRET=SECRET,
            SURGELINE_NOTIFY__MAIL__HOST="127.0.0.1",
            SURGELINE_NOTIFY__MAIL__PORT=str(mail.port),
            SURGELINE_NOTIFY__MAIL__SECURITY="none",
            SURGELINE_NOTIFY__MAIL__SENDER="us@plant.org",
        )

        assert done.exit_code == code, done.output
        _, chat, shift = done.stdout.splitlines()
        no = "no" if code else "yes"
        assert chat.split() == [
            "chat", "webhook", f"http://127.0.0.1:{webhook.port}", no, *said.split()
        ]  # fmt: skip
        assert shift.split() == ["shift", "e-mail", "a@plant.org", "yes", "taken", "as", "4711"]
        assert "secret" not in done.output
        assert len(mail.mails) == len(webhook.requests) == 1


def test_only_one_receiver_is_asked_if_it_is_named(run: Run) -> None:
    with receivers(lambda _: "200 OK") as (webhook, _):
        file = f'[receiver.a]\nwebhook = "{webhook.url}"\n[receiver.b]\nwebhook = "{webhook.url}"\n'
        variables = {"SURGELINE_NOTIFY__WEBHOOKS__SECRET": SECRET}

        assert run("test", "b", file=file, **variables).exit_code == 0
        assert len(webhook.requests) == 1
        wrong = run("test", "c", file=file, **variables)

    assert wrong.exit_code == 2
    assert "There is no receiver 'c'; there are a, b." in wrong.stderr


def test_without_a_file_it_says_what_to_do(run: Run) -> None:
    done = run("test")

    assert done.exit_code == 2
    assert "SURGELINE_NOTIFY__FILE names no file" in done.stderr


def test_a_new_secret_can_be_used_and_is_another_each_time(run: Run) -> None:
    first, second = run("secret").stdout.strip(), run("secret").stdout.strip()

    [key] = read_secrets(first)
    assert len(key) == 32
    assert first != second

"""The file of receivers: what it may say, and what people are told when it says something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from api.notifications.receivers import (
    Mail,
    Receiver,
    Webhook,
    load_receivers,
    parse_receivers,
)
from common.errors import ReceiversError, SurgelineError
from common.records.alerts import Transition
from common.records.verdicts import Level
from common.settings import MailSettings, NotifySettings, Settings, WebhookSettings
from tests.support.alerts import make_alert

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of no receiver
GIVEN = NotifySettings(
    webhooks=WebhookSettings(secret=SecretStr(SECRET)),
    mail=MailSettings(host="mail.plant.org", sender="surgeline@plant.org"),
)
HOOK = 'webhook = "https://chat.plant.org/hook/hunter2"\n'


def parsed(text: str, settings: NotifySettings = GIVEN, folder: Path = Path()) -> list[Receiver]:
    return list(parse_receivers(text, "who.toml", settings, folder))


def test_a_whole_file(tmp_path: Path) -> None:
    (tmp_path / "chat.secret").write_text(f"{SECRET}\n")
    chat, shift = parsed(
        f"""
        [receiver.chat]
        {HOOK}
        secret_file = "chat.secret"
        fleets = ["pumps", "FD001"]
        [receiver.night-shift]
        mail = ["shift@plant.org", "head+on.duty@plant.org"]
        levels = ["critical"]
        states = ["raised", "escalated"]
        """,
        folder=tmp_path,
    )

    assert isinstance(chat.way, Webhook)
    assert chat.way.shown == "https://chat.plant.org"
    assert "hunter2" not in repr(chat)
    assert chat.fleets == frozenset({"pumps", "FD001"})
    assert chat.levels == {Level.WARNING, Level.CRITICAL}
    assert chat.states == set(Transition)
    assert shift == Receiver(
        "night-shift",
        Mail(("shift@plant.org", "head+on.duty@plant.org")),
        None,
        frozenset({Level.CRITICAL}),
        frozenset({Transition.RAISED, Transition.ESCALATED}),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "receiver: Field required", id="empty"),
        pytest.param("[receiver.a", "is not TOML", id="no toml"),
        pytest.param("[receiver.a]\n", "receiver.a: either webhook or mail", id="no way"),
        pytest.param(
            f'[receiver.a]\n{HOOK}mail = ["a@b.org"]', "receiver.a: either", id="two ways"
        ),
        pytest.param("[receiver.a]\nmail = []", "receiver.a.mail: Tuple should", id="nobody"),
        pytest.param(
            '[receiver.a]\nmail = ["a@b.org\\nBcc: c@d.org"]', "an address a@b.org", id="header"
        ),
        pytest.param('[receiver.a]\nmail = ["<a@b.org>"]', "an address a@b.org", id="brackets"),
        pytest.param('[receiver.a]\nmail = ["a..b@c"]', "an address a@b.org", id="dots"),
        pytest.param('[receiver.a]\nmail = ["=?x?q?y?=@c"]', "an address a@b", id="encoded word"),
        pytest.param(
            f"[receiver.a]\n{HOOK}levels = ['none']", "levels are warning and critical", id="none"
        ),
        pytest.param(
            f"[receiver.a]\n{HOOK}levels = ['bad']", "'none', 'warning' or 'critical'", id="level"
        ),
        pytest.param(f"[receiver.a]\n{HOOK}states = ['up']", "'raised', 'escalated'", id="state"),
        pytest.param(f"[receiver.a]\n{HOOK}fleet = 'x'", "receiver.a.fleet: Extra", id="misspelt"),
        pytest.param(f"[receiver.'a b']\n{HOOK}", "receiver.a b: String should match", id="name"),
        pytest.param(
            '[receiver.a]\nwebhook = "ftp://hunter2"', "an address such as https", id="scheme"
        ),
        pytest.param('[receiver.a]\nwebhook = "http://x:99999/hunter2"', "an address", id="port"),
        pytest.param('[receiver.a]\nwebhook = "http://x/hunter2 b"', "an address", id="blank"),
        pytest.param('[receiver.a]\nwebhook = "http://xn--/hunter2"', "an address", id="no name"),
        pytest.param(
            '[receiver.a]\nwebhook = "http://me:hunter2@x/"', "no user and password", id="password"
        ),
        pytest.param(f"[receiver.a]\n{HOOK}secret_file = 'none'", "which is no file", id="no file"),
        pytest.param(
            '[receiver.a]\nmail = ["a@b.org"]\nsecret_file = "x"', "signs webhooks", id="unused"
        ),
    ],
)
def test_what_is_wrong_is_told_without_secrets(text: str, told: str) -> None:
    with pytest.raises(SurgelineError) as refused:
        parsed(text)

    assert told in str(refused.value)
    assert "who.toml" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_webhook_needs_a_secret_and_mail_a_server() -> None:
    bare = NotifySettings()

    with pytest.raises(ReceiversError, match="surgeline notify secret"):
        parsed(f"[receiver.a]\n{HOOK}", bare)
    with pytest.raises(ReceiversError, match="SURGELINE_NOTIFY__MAIL__HOST"):
        parsed('[receiver.a]\nmail = ["a@b.org"]', bare)
    wrong = NotifySettings(webhooks=WebhookSettings(secret=SecretStr("hunter2")))
    with pytest.raises(ReceiversError, match="SURGELINE_NOTIFY__WEBHOOKS__SECRET") as refused:
        parsed(f"[receiver.a]\n{HOOK}", wrong)
    assert "hunter2" not in str(refused.value)


def test_a_fleet_that_there_is_none_of_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "who.toml"
    file.write_text(f"[receiver.a]\n{HOOK}fleets = ['FD01']")
    settings = Settings(notify=GIVEN.model_copy(update={"file": file}))

    with pytest.raises(ReceiversError, match=r"receiver\.a names the fleet 'FD01'.*FD001"):
        load_receivers(settings)


def test_without_a_file_nobody_is_told() -> None:
    assert load_receivers(Settings()) == ()


@given(
    st.sampled_from(["pumps", "fans"]),
    st.sampled_from([Level.WARNING, Level.CRITICAL]),
    st.sampled_from(Transition),
    st.none() | st.frozensets(st.sampled_from(["pumps", "fans"]), min_size=1),
    st.frozensets(st.sampled_from([Level.WARNING, Level.CRITICAL]), min_size=1),
    st.frozensets(st.sampled_from(Transition), min_size=1),
)
def test_a_receiver_wants_what_all_its_rules_let_through(
    fleet: str,
    level: Level,
    state: Transition,
    fleets: frozenset[str] | None,
    levels: frozenset[Level],
    states: frozenset[Transition],
) -> None:
    alert = make_alert(fleet=fleet, level=level, state=state, onset_cycle=4)  # type: ignore[arg-type]  # never none
    receiver = Receiver("a", Mail(("a@b.org",)), fleets, levels, states)

    wanted = (fleets is None or fleet in fleets) and level in levels and state in states
    assert receiver.wants(alert) == wanted

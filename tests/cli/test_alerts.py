"""`policyctl alerts`: where alerts stand, whether a channel works, and what a timer tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import policyctl
from policyctl.deciding import Engine
from policyctl.ledger.ledger import Ledger
from policyctl.schemas.ledger import Usage
from policyctl.schemas.policy import NANO

from ..ledger.alerts.receivers import SECRET, a_hook, a_mail_server
from .command import Ran, call

SCHEMAS = Path(policyctl.__file__).parent / "schemas"
POLICY = """\
policy "shop"
timezone UTC
model small is anthropic/claude-haiku-4-5 costs $1 in, $1 out can nothing
tier low from complexity 0 has small
budget monthly is $10 per month
  at 50%  warn
  at 100% pause
alert dear_day   when daily_cost    is above $2  webhook env SHOP_HOOK
alert dear_story when story_cost    is above $2  log
alert fallbacks  when fallback_rate is above 20% slack env SHOP_SLACK
alert mailed     when weekly_cost   is above $50 email "team@example.com"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """
    A checkout with a policy and a ledger.
    """
    (tmp_path / ".git").mkdir()
    (tmp_path / "shop.policy").write_text(POLICY, encoding="utf-8")
    assert 0 == call("ledger", "init", at=tmp_path).code
    return tmp_path


def spend(shop: Path, usd: float, key: str = "r:1", story: str = "US-1") -> None:
    """
    Count a call.
    """
    engine = Engine.load(shop / "shop.policy")
    with Ledger(shop / ".claude-loop" / "policyctl.db", engine.policy) as ledger:
        ledger.record(engine.attempt(key, "small", story_id=story), Usage(cost_nusd=int(usd * NANO)))


def valid(name: str, document: Any) -> Any:
    """
    A document that fits its schema.
    """
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert [] == [e.message for e in Draft202012Validator(schema).iter_errors(document)]
    return document


def by_name(ran: Ran) -> dict[str, Any]:
    """
    The alerts of the JSON, which fits its schema.
    """
    return {alert["name"]: alert for alert in valid("alerts", ran.json)["alerts"]}


def lines(shop: Path) -> list[dict[str, Any]]:
    """
    The log of alerts, of which each line fits its schema.
    """
    log = shop / ".claude-loop" / "logs" / "alerts.jsonl"
    text = log.read_text(encoding="utf-8") if log.exists() else ""
    return [valid("alert", json.loads(line)) for line in text.splitlines()]


# --- list and check -----------------------------------------------------------------------------------


def test_list_shows_where_each_stands_and_tells_nothing(shop: Path) -> None:
    """
    Without a command the alerts are listed; nothing is told by that.
    """
    spend(shop, 3)
    plain, ran = call("alerts", at=shop), call("alerts", "list", "--json", at=shop)
    found = by_name(ran)

    assert (0, 0) == (plain.code, ran.code)
    assert ["firing", "firing", "unknown", "quiet", "quiet", "quiet"] == [a["state"] for a in found.values()]
    assert ("story US-1", 3.0, "usd") == tuple(found["dear_story"][k] for k in ("window", "value", "unit"))
    assert [None] * 6 == [a["last"] for a in found.values()]
    assert ran.json["checked"] is None
    assert "dear_story  firing not told yet" in plain.out
    assert "  now    $3.0000 in story US-1" in plain.out
    assert "fallbacks  too few calls to say" in plain.out
    assert "  tells  slack env SHOP_SLACK" in plain.out
    assert [] == lines(shop)


def test_check_tells_and_says_what_it_couldn_t_send(shop: Path) -> None:
    """
    A check sends what it can; where something can't be sent its exit code is 1, and the list says why.
    """
    spend(shop, 6)
    ran = call("alerts", "check", "--json", at=shop)
    again = call("alerts", "check", at=shop)
    found = by_name(ran)

    assert (1, 0) == (ran.code, again.code)
    assert {"made": 3, "sent": 2, "unsent": ["webhook: SHOP_HOOK isn't set"]} == ran.json["checked"]
    assert "warning: not sent: webhook: SHOP_HOOK isn't set" in ran.err
    assert ("waiting", 1) == tuple(found["dear_day"]["last"][key] for key in ("delivery", "tries"))
    assert "sent" == found["monthly at 50%"]["last"]["delivery"]
    assert ["dear_story", "monthly at 50%"] == sorted(line["alert"] for line in lines(shop))
    assert "0 messages made, 0 sent" in again.err
    shown = call("alerts", at=shop).out
    assert "waiting after 1 try: SHOP_HOOK isn't set\n" in shown
    assert 80 >= max(map(len, shown.splitlines()))


def test_check_calls_the_address_of_the_dotenv_if_the_machine_allows_it(shop: Path) -> None:
    """
    The checkout's `.env` may name the address; that this machine may be called is said by the machine alone.
    """
    spend(shop, 3)
    with a_hook() as hook:
        (shop / ".env").write_text(f"SHOP_HOOK={hook.url}\nPOLICYCTL_ALERTS_ALLOW={hook.origin}\n")
        refused = call("alerts", "test", "dear_day", at=shop)
        sent = call("alerts", "check", at=shop, env={"POLICYCTL_ALERTS_ALLOW": hook.origin})

    assert (1, 0) == (refused.code, sent.code)
    assert "its address isn't https" in refused.out
    assert 1 == len(hook.got)
    assert "fired" == valid("alert", hook.got[0].json)["kind"]
    assert SECRET not in "".join((refused.out, refused.err, sent.out, sent.err))


def test_without_a_ledger_one_is_asked_for(tmp_path: Path) -> None:
    """
    Listing and checking need a ledger.
    """
    (tmp_path / ".git").mkdir()
    (tmp_path / "shop.policy").write_text(POLICY, encoding="utf-8")

    for verb in ("list", "check"):
        ran = call("alerts", verb, at=tmp_path)
        assert (2, "") == (ran.code, ran.out)
        assert "no ledger was found here or above; policyctl ledger init makes one" in ran.err


# --- test ---------------------------------------------------------------------------------------------


def test_a_test_goes_the_way_of_the_alert(shop: Path) -> None:
    """
    A test is sent as the alert would be, says that it is one, and leaves the ledger as it was.
    """
    with a_hook() as hook:
        env = {"SHOP_HOOK": hook.url, "POLICYCTL_ALERTS_ALLOW": hook.origin}
        ran = call("alerts", "test", "dear_day", at=shop, env=env)
    level = call("alerts", "test", "monthly at 50%", at=shop)

    assert (0, "ok  alert dear_day by webhook env SHOP_HOOK: it answered 200\n") == (ran.code, ran.out)
    assert "test" == valid("alert", hook.got[0].json)["kind"]
    assert "test of alert dear_day: daily_cost is above $2; nothing has happened" == hook.got[0].json["text"]
    assert (0, ["monthly at 50%"]) == (level.code, [line["alert"] for line in lines(shop)])
    assert {None} == {alert["last"] for alert in by_name(call("alerts", "--json", at=shop)).values()}


def test_a_test_that_fails_says_why(shop: Path) -> None:
    """
    What keeps a channel from working is told, with exit code 1; a name that is no alert is misuse.
    """
    with a_hook(404) as hook:
        env = {"SHOP_SLACK": hook.url, "POLICYCTL_ALERTS_ALLOW": hook.origin}
        gone = call("alerts", "test", "fallbacks", at=shop, env=env)
    unset = call("alerts", "test", "fallbacks", at=shop)
    nobody = call("alerts", "test", "mailed", at=shop)
    typo = call("alerts", "test", "dear_dy", at=shop)

    assert (1, "not sent  alert fallbacks by slack env SHOP_SLACK: it answered 404\n") == (
        gone.code,
        gone.out,
    )
    assert (1, "not sent  alert fallbacks by slack env SHOP_SLACK: SHOP_SLACK isn't set\n") == (
        unset.code,
        unset.out,
    )
    assert (1, True) == (nobody.code, "this machine names no mail server" in nobody.out)
    assert "help: docs/alerts.md says how a machine names its mail server" in nobody.err
    assert (2, True) == (typo.code, "unknown alert `dear_dy`; did you mean `dear_day`?" in typo.err)


def test_a_mail_goes_through_the_server_of_the_machine_s_file(shop: Path, tmp_path_factory: Any) -> None:
    """
    The machine's own file names the mail server; `config` shows that, and where it is said.
    """
    home = tmp_path_factory.mktemp("home")
    file = home / "policyctl" / "policyctl.toml"
    file.parent.mkdir()
    with a_mail_server() as box:
        file.write_text(
            f'[alerts]\nsmtp_host = "127.0.0.1"\nsmtp_port = {box.port}\n'
            'smtp_from = "policyctl@example.com"\nsmtp_security = "none"\n'
        )
        env = {"XDG_CONFIG_HOME": str(home), "POLICYCTL_SMTP_PASSWORD": SECRET}
        ran = call("alerts", "test", "mailed", at=shop, env=env)
    shown = call("config", at=shop, env=env)

    assert (0, True) == (ran.code, "by email team@example.com: the mail server took it" in ran.out)
    assert b"To: team@example.com" in box.mails[0]
    assert ["alerts.smtp_host", "127.0.0.1", str(file)] in [line.split() for line in shown.out.splitlines()]
    assert SECRET not in shown.out + ran.out + ran.err


# --- settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[alerts]\nsmtp_hots = 'x'\n", "unknown setting `smtp_hots`"),
        ("[alerts]\nsmtp_host = 'x'\n", "the setting `smtp_from` must be an e-mail address"),
        ("[alerts]\nsmtp_host = 'x'\nsmtp_security = 'ssl'\n", "the setting `smtp_security` can't be `ssl`"),
        ("[alerts]\nsmtp_host = 'x'\nsmtp_port = 70000\n", "the setting `smtp_port` can't be `70000`"),
        ("[alerts]\nallow = ['hooks.slack.com/x']\n", "the setting `allow` holds what is no origin"),
        ("[alerts]\nallow = 7.5\n", "`allow` can't be what it is"),
        ("[mail]\n", "holds what is no setting of a machine"),
        ("[alerts\n", "it is no TOML"),
    ],
)
def test_a_machine_s_file_that_can_t_be_is_an_error(
    shop: Path, tmp_path_factory: Any, text: str, message: str
) -> None:
    """
    A setting that can't be what it is stops the verb, and `config` shows why; nothing is guessed.
    """
    home = tmp_path_factory.mktemp("home")
    (home / "policyctl").mkdir()
    (home / "policyctl" / "policyctl.toml").write_text(text, encoding="utf-8")
    env = {"XDG_CONFIG_HOME": str(home)}
    ran, shown = call("alerts", "check", at=shop, env=env), call("config", "--json", at=shop, env=env)

    assert (2, "", True) == (ran.code, ran.out, message in ran.err)
    settings = {setting["name"]: setting for setting in valid("config", shown.json)["settings"]}
    assert message in settings["alerts"]["problem"]


def test_a_machine_s_file_that_others_may_write_is_refused(shop: Path, tmp_path_factory: Any) -> None:
    """
    Whoever may write the file could open this machine's network.
    """
    home = tmp_path_factory.mktemp("home")
    file = home / "policyctl" / "policyctl.toml"
    file.parent.mkdir()
    file.write_text("[alerts]\n")
    file.chmod(0o666)
    ran = call("alerts", "check", at=shop, env={"XDG_CONFIG_HOME": str(home)})

    assert (2, True) == (ran.code, f"others may write {file}" in ran.err)


def test_a_checkout_can_t_say_how_alerts_are_sent(shop: Path) -> None:
    """
    The same settings in the checkout's own file are an error that says where they belong.
    """
    (shop / "policyctl.toml").write_text('[alerts]\nallow = ["http://127.0.0.1:1"]\n', encoding="utf-8")
    ran = call("alerts", "check", at=shop)

    assert 2 == ran.code
    assert "how alerts are sent is said by the machine, not by a checkout" in ran.err


def test_a_place_that_stands_for_an_origin_isn_t_repeated(shop: Path) -> None:
    """
    Whoever takes `allow` for the webhook's address has written a secret there.
    """
    env = {"POLICYCTL_ALERTS_ALLOW": f"https://hooks.slack.com/{SECRET}"}
    ran, shown = call("alerts", "check", at=shop, env=env), call("config", at=shop, env=env)

    assert 2 == ran.code
    assert "the setting `allow` holds what is no origin" in ran.err
    assert SECRET not in ran.err + shown.out + shown.err

"""How a message is sent: to public https addresses only, in time, and with no word of the address."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from policyctl.ledger.alerts.channels import Channels
from policyctl.ledger.alerts.mail import MOST_RECIPIENTS, recipients
from policyctl.ledger.alerts.settings import MailServer, Security
from policyctl.ledger.alerts.web import Web, is_public
from policyctl.schemas.alerts import Outcome

from .receivers import (
    SECRET,
    Authority,
    Hook,
    a_hook,
    a_mail_server,
    a_raw_server,
    drip,
    flood,
    hang,
)

BODY = {
    "id": "0" * 32,
    "text": "dear: daily_cost is $3.0000, above $2; story <!channel> & co",
    "condition": "daily_cost is above $2",
    "window": "day 2026-03-10 (UTC)",
    "policy": "loop",
    "at": "2026-03-10T12:00:00.000Z",
}


def post(web: Web, address: str) -> Outcome:
    """
    Post a message; what came of it never tells the address.
    """
    outcome = web.post(address, b"{}", "0" * 32)
    assert SECRET not in repr(outcome)
    return outcome


def resolving(*addresses: str) -> Callable[..., Any]:
    """
    A resolver that gives these addresses for every name.
    """

    def resolve(host: str, port: int, **more: Any) -> list[tuple[Any, ...]]:
        families = [socket.AF_INET6 if ":" in each else socket.AF_INET for each in addresses]
        pairs = zip(addresses, families, strict=True)
        return [(family, socket.SOCK_STREAM, 6, "", (each, port)) for each, family in pairs]

    return resolve


# --- which addresses are called ---------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111"])
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    """
    What everybody can reach is public.
    """
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.192",
        "192.168.1.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:1.1.1.1",
        "::ffff:127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "localhost",
        "2130706433",
        "",
    ],
)
def test_all_other_addresses_are_not(address: str) -> None:
    """
    Private, shared, link-local and reserved addresses aren't public, nor are IPv4 ones inside IPv6 ones.
    """
    assert not is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"],
)
def test_every_way_to_write_this_machine_is_refused(host: str) -> None:
    """
    However the address of this machine is written, nothing is sent to it.
    """
    with a_hook() as hook:
        outcome = post(Web(), f"https://{host}:{hook.port}/{SECRET}")

    assert Outcome(False, "its host isn't a public one", False) == outcome
    assert [] == hook.got


@pytest.mark.parametrize(
    "addresses", [("169.254.169.254",), ("1.1.1.1", "127.0.0.1"), ("64:ff9b::a9fe:a9fe",), ("2002:7f00:1::",)]
)
def test_a_name_that_leads_inside_is_refused(addresses: tuple[str, ...]) -> None:
    """
    A public name whose address isn't one is refused; one bad address among good ones is enough.
    """
    outcome = post(Web(resolve=resolving(*addresses)), f"https://hooks.slack.com/{SECRET}")

    assert Outcome(False, "its host isn't a public one", False) == outcome


def test_the_address_that_was_checked_is_called_under_the_host_s_name(tmp_path: Path) -> None:
    """
    A host is resolved once: the connection goes to what came back, with the host's name in TLS and request.
    """
    authority, asked = Authority(tmp_path), []
    with a_hook(tls=authority.server("hooks.example.com"), host="hooks.example.com") as hook:

        def resolve(host: str, port: int, **more: Any) -> list[tuple[Any, ...]]:
            asked.append(host)
            return resolving("127.0.0.1")(host, port)

        web = Web(frozenset({hook.origin}), authority.file, resolve)
        outcome = post(web, hook.url)

    assert Outcome(True, "it answered 200") == outcome
    assert ["hooks.example.com"] == asked
    assert f"hooks.example.com:{hook.port}" == hook.got[0].headers["Host"]
    assert f"/services/{SECRET}?token={SECRET}" == hook.got[0].path


def test_a_certificate_must_be_trusted_and_of_the_host(tmp_path: Path) -> None:
    """
    A certificate of another host, or of an authority that nobody knows, ends it.
    """
    authority = Authority(tmp_path)
    with a_hook(tls=authority.server("other.example.com"), host="hooks.example.com") as hook:
        allow, resolve = frozenset({hook.origin}), resolving("127.0.0.1")
        other = post(Web(allow, authority.file, resolve), hook.url)
        unknown = post(Web(allow, None, resolve), hook.url)

    assert Outcome(False, "its certificate can't be trusted", False) == other == unknown
    assert [] == hook.got


def test_plain_http_needs_the_machine_s_word() -> None:
    """
    Only an origin that the machine allows may be plain http, or on this machine, and to its port.
    """
    with a_hook() as hook:
        refused = post(Web(frozenset({f"http://127.0.0.1:{hook.port + 1}"})), hook.url)
        sent = post(Web(frozenset({hook.origin})), hook.url)

    assert Outcome(False, "its address isn't https", False) == refused
    assert Outcome(True, "it answered 200") == sent
    assert 1 == len(hook.got)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "hooks.slack.com",
        f"ftp://hooks.slack.com/{SECRET}",
        f"file:///{SECRET}",
        f"https:///{SECRET}",
        f"https://user:{SECRET}@hooks.slack.com/",
        f"https://hooks.slack.com@127.0.0.1/{SECRET}",
        f"https://hooks.slack.com\\@127.0.0.1/{SECRET}",
        f"https://hooks.slack.com/{SECRET}\r\nX-Evil: 1",
        f"https://hooks.slack.com/{SECRET} HTTP/1.1",
        f"https://hooks.slack.com:99999/{SECRET}",
        f"https://hooks.slack.com:{SECRET}/",
        f"https://hööks.example/{SECRET}",
        f"https://[::1/{SECRET}",
        f"https://hooks.slack.com/{SECRET}" + "x" * 2000,
    ],
)
def test_what_is_no_address_of_a_webhook_is_refused(address: str) -> None:
    """
    What one reader could take for another place than the next one is no address, and isn't repeated.
    """

    def resolve(*args: Any, **more: Any) -> list[tuple[Any, ...]]:
        raise AssertionError("nothing is to be resolved")

    outcome = post(Web(resolve=resolve), address)

    assert not outcome.sent and not outcome.again


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    HTTPS_PROXY and its like don't see the message.
    """
    with a_hook() as hook, a_hook() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
            monkeypatch.setenv(name.lower(), proxy.origin)
        post(Web(frozenset({hook.origin})), hook.url)

    assert (1, 0) == (len(hook.got), len(proxy.got))


# --- how it is answered -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Outcome(True, "it answered 200")),
        (204, Outcome(True, "it answered 204")),
        (302, Outcome(False, "it answered 302, a redirect, and none is followed", False)),
        (307, Outcome(False, "it answered 307, a redirect, and none is followed", False)),
        (404, Outcome(False, "it answered 404", False)),
        (429, Outcome(False, "it answered 429", True)),
        (500, Outcome(False, "it answered 500", True)),
    ],
)
def test_the_status_decides(status: int, expected: Outcome) -> None:
    """
    2xx is sent; a redirect isn't followed; what may pass is worth another try.
    """
    with a_hook(status) as hook:
        outcome = post(Web(frozenset({hook.origin})), hook.url)

    assert expected == outcome
    assert 1 == len(hook.got)


@pytest.mark.parametrize("act", [hang, drip])
def test_a_server_that_takes_its_time_is_left(act: Callable[[socket.socket, Event], None]) -> None:
    """
    Neither silence nor a byte now and then holds a message longer than the whole time.
    """
    with a_raw_server(act) as server:
        outcome = post(Web(frozenset({server.origin}), whole_s=0.3), f"{server.origin}/{SECRET}")

    assert Outcome(False, "it didn't answer within 0.3 s", True) == outcome


def test_a_tls_handshake_without_an_end_is_left(tmp_path: Path) -> None:
    """
    The whole time holds for TLS, too.
    """
    with a_raw_server(hang) as server:
        origin = server.origin.replace("http:", "https:")
        outcome = post(Web(frozenset({origin}), whole_s=0.3), f"{origin}/{SECRET}")

    assert Outcome(False, "it didn't answer within 0.3 s", True) == outcome


def test_a_name_server_that_hangs_is_left() -> None:
    """
    The whole time holds for finding the address, too.
    """
    over = Event()

    def resolve(*args: Any, **more: Any) -> list[tuple[Any, ...]]:
        over.wait(30)
        return []

    outcome = post(Web(resolve=resolve, whole_s=0.2), f"https://hooks.slack.com/{SECRET}")
    over.set()

    assert Outcome(False, "it didn't answer within 0.2 s", True) == outcome


def test_an_answer_without_an_end_is_dropped() -> None:
    """
    Of an answer without an end four KiB are read.
    """
    with a_raw_server(flood) as server:
        outcome = post(Web(frozenset({server.origin})), f"{server.origin}/{SECRET}")

    assert Outcome(False, "it answered with no HTTP", True) == outcome


def test_where_nobody_listens_another_try_may_help() -> None:
    """
    A connection that is refused, or a name that isn't known, may be better later.
    """
    with a_hook() as hook:
        pass
    refused = post(Web(frozenset({hook.origin})), hook.url)

    def resolve(*args: Any, **more: Any) -> list[tuple[Any, ...]]:
        raise socket.gaierror

    unknown = post(Web(resolve=resolve), f"https://hooks.slack.com/{SECRET}")

    assert Outcome(False, "nobody answers there", True) == refused
    assert Outcome(False, "its host can't be resolved", True) == unknown


# --- channels ---------------------------------------------------------------------------------------------


def channels(hook: Hook, variable: str = "HOOK") -> Channels:
    return Channels(None, {variable: hook.url}, Web(frozenset({hook.origin})).post)


def test_a_webhook_gets_the_message_as_it_is() -> None:
    """
    A webhook gets the message's JSON, and its id in a header.
    """
    with a_hook() as hook:
        channels(hook).send("webhook", "HOOK", json.dumps(BODY))

    assert BODY == hook.got[0].json
    assert BODY["id"] == hook.got[0].headers["Idempotency-Key"]
    assert "application/json" == hook.got[0].headers["Content-Type"]


def test_slack_gets_a_text_in_which_nobody_is_called() -> None:
    """
    Slack gets one sentence, without anything that it takes for a link or a mention.
    """
    with a_hook() as hook:
        channels(hook).send("slack", "HOOK", json.dumps(BODY))

    assert {"text": "dear: daily_cost is $3.0000, above $2; story &lt;!channel&gt; &amp; co"} == hook.got[
        0
    ].json


def test_a_variable_that_isn_t_set_is_named() -> None:
    """
    Without an address the variable that should hold it is told.
    """
    with a_hook() as hook:
        outcome = channels(hook, "OTHER").send("slack", "HOOK", json.dumps(BODY))

    assert Outcome(False, "HOOK isn't set", True) == outcome


def test_the_channels_don_t_show_their_secrets() -> None:
    """
    Neither addresses nor the password of the mail server are in what a debugger prints.
    """
    server = MailServer(host="h", port=25, sender="a@b.example", user="u", password=SECRET)

    assert SECRET not in repr(Channels(None, {"HOOK": SECRET}, Web().post, server))


# --- mail -------------------------------------------------------------------------------------------------


def mail(server: MailServer, ca_file: Path | None = None, to: str = "team@example.com") -> Outcome:
    """
    Send the message by mail; what came of it never repeats what the server said.
    """
    outcome = Channels(None, {}, Web().post, server, ca_file).send("email", to, json.dumps(BODY))
    assert SECRET not in repr(outcome)
    return outcome


def test_mail_goes_over_tls_with_a_login(tmp_path: Path) -> None:
    """
    The server is asked for TLS first; login and mail come after it.
    """
    authority = Authority(tmp_path)
    with a_mail_server(authority.server("localhost")) as box:
        server = MailServer(host="localhost", port=box.port, sender="p@example.com", user="u", password="p")  # noqa: S106
        outcome = mail(server, authority.file)

    found = message_from_bytes(box.mails[0], policy=default)
    assert Outcome(True, "the mail server took it") == outcome
    assert ["EHLO in the clear", "STARTTLS in the clear", "EHLO", "AUTH", "MAIL"] == box.said[:5]
    assert f"[policyctl] {BODY['text']}" == found["Subject"].strip()
    assert ("p@example.com", "team@example.com") == (found["From"], found["To"])
    assert f"<{'0' * 32}@example.com>" == found["Message-ID"]
    assert "window: day 2026-03-10 (UTC)\n" in found.get_content().replace("\r", "")


def test_tls_from_the_start(tmp_path: Path) -> None:
    """
    A server that speaks nothing but TLS is spoken to so where the machine says it.
    """
    authority = Authority(tmp_path)
    with a_mail_server(authority.server("localhost"), from_start=True) as box:
        server = MailServer(host="localhost", port=box.port, sender="p@example.com", security=Security.TLS)
        outcome = mail(server, authority.file)

    assert Outcome(True, "the mail server took it") == outcome
    assert "EHLO" == box.said[0]


def test_without_starttls_nothing_is_handed_in(tmp_path: Path) -> None:
    """
    A server that doesn't offer STARTTLS, or has a certificate that can't be trusted, gets no mail.
    """
    with a_mail_server() as box:
        without = mail(MailServer(host="127.0.0.1", port=box.port, sender="p@example.com"))
    with a_mail_server(Authority(tmp_path).server("localhost")) as other:
        untrusted = mail(MailServer(host="localhost", port=other.port, sender="p@example.com"))

    assert Outcome(False, "the mail server lacks what is asked of it: STARTTLS or a login", False) == without
    assert Outcome(False, "the mail server's certificate can't be trusted", False) == untrusted
    assert [] == box.mails == other.mails


def test_in_the_clear_only_where_the_machine_says_so() -> None:
    """
    Security none hands mail in without TLS, as to a server on this machine.
    """
    with a_mail_server() as box:
        server = MailServer(host="127.0.0.1", port=box.port, sender="p@example.com", security=Security.NONE)
        outcome = mail(server)

    assert outcome.sent
    assert 1 == len(box.mails)


@pytest.mark.parametrize(
    ("refuses", "expected"),
    [
        ("RCPT", Outcome(False, "the mail server refused the recipient", False)),
        ("MAIL", Outcome(False, "the mail server answered 550", False)),
        ("DATA", Outcome(False, "the mail server answered 550", False)),
    ],
)
def test_a_refusal_is_told_without_the_server_s_words(refuses: str, expected: Outcome) -> None:
    """
    What the server says is not repeated, only its code.
    """
    with a_mail_server(refuses=refuses) as box:
        server = MailServer(host="127.0.0.1", port=box.port, sender="p@example.com", security=Security.NONE)
        outcome = mail(server)

    assert expected == outcome


def test_without_a_mail_server_it_waits() -> None:
    """
    A machine that names no mail server may name one later, or another machine does.
    """
    outcome = Channels(None, {}, Web().post).send("email", "team@example.com", json.dumps(BODY))

    assert Outcome(False, "this machine names no mail server", True) == outcome


@pytest.mark.parametrize(
    "to",
    [
        "",
        "team",
        "team@example.com\r\nBcc: all@example.com",
        "team@example.com\nDATA",
        "<team@example.com>",
        '"a b"@example.com',
        "a@b@example.com",
        "team@example.com,",
        ", ".join(f"p{number}@example.com" for number in range(MOST_RECIPIENTS + 1)),
    ],
)
def test_what_are_no_addresses_gets_no_mail(to: str) -> None:
    """
    Line ends, more than twenty addresses and what is none are refused before anybody is spoken to.
    """
    assert recipients(to) is None
    assert not mail(MailServer(host="127.0.0.1", port=1, sender="p@example.com"), to=to).again


def test_twenty_addresses_are_fine() -> None:
    """
    A list with commas may have up to twenty.
    """
    people = tuple(f"p{number}@example.com" for number in range(MOST_RECIPIENTS))

    assert people == recipients(", ".join(people))

"""Alerts by e-mail, handed to the mail server that the machine names."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from ...schemas.alerts import Outcome
from .limits import within
from .settings import MailServer, Security

if TYPE_CHECKING:
    import smtplib
    from email.message import EmailMessage

MOST_RECIPIENTS = 20
WHOLE_S = 20.0

_RECIPIENT = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")


def recipients(text: str) -> tuple[str, ...] | None:
    """The addresses of a list with commas; None where one is no address, or where they are too many."""
    found = tuple(part.strip(" ") for part in text.split(","))
    good = len(found) <= MOST_RECIPIENTS and all(_RECIPIENT.fullmatch(each) for each in found)
    return found if good else None


def send(
    server: MailServer | None,
    to: str,
    subject: str,
    text: str,
    message_id: str,
    ca_file: Path | None = None,
    whole_s: float = WHOLE_S,
) -> Outcome:
    """Hand a mail in."""
    if server is None:
        return Outcome(False, "this machine names no mail server", True)
    people = recipients(to)
    if people is None:
        return Outcome(False, f"it isn't for 1 to {MOST_RECIPIENTS} e-mail addresses", False)
    try:
        message = _message(server.sender, people, subject, text, message_id)
    except ValueError:  # a line end in a header
        return Outcome(False, "its text can't be a mail's", False)
    return _hand_in(server, message, people, ca_file, whole_s)


def _message(sender: str, people: tuple[str, ...], subject: str, text: str, message_id: str) -> EmailMessage:
    from email.message import EmailMessage
    from email.utils import formatdate

    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(people)
    message["Subject"] = subject
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _hand_in(
    server: MailServer, message: EmailMessage, people: tuple[str, ...], ca_file: Path | None, whole_s: float
) -> Outcome:
    import smtplib

    try:
        refused = within(whole_s, lambda: _session(server, message, people, ca_file, whole_s / 2))
    except TimeoutError:
        return Outcome(False, f"the mail server didn't answer within {whole_s:g} s", True)
    except smtplib.SMTPNotSupportedError:
        return Outcome(False, "the mail server lacks what is asked of it: STARTTLS or a login", False)
    except smtplib.SMTPAuthenticationError:
        return Outcome(False, "the mail server refused the login", False)
    except smtplib.SMTPRecipientsRefused:
        return Outcome(False, "the mail server refused the recipient", False)
    except smtplib.SMTPResponseException as error:
        again = not 500 <= error.smtp_code < 600
        return Outcome(False, f"the mail server answered {error.smtp_code}", again)
    except ssl.SSLCertVerificationError:
        return Outcome(False, "the mail server's certificate can't be trusted", False)
    except (smtplib.SMTPException, OSError):  # its words may tell what the server said
        return Outcome(False, "the mail server can't be spoken to", True)
    except ValueError:
        return Outcome(False, "the mail server can't be spoken to", False)
    if refused:
        return Outcome(True, f"the mail server took it, for all but {refused} of its recipients")
    return Outcome(True, "the mail server took it")


def _session(
    server: MailServer, message: EmailMessage, people: tuple[str, ...], ca_file: Path | None, timeout_s: float
) -> int:
    """Hand a mail in, over TLS unless the machine says otherwise; of how many recipients it was refused."""
    import smtplib

    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    session: smtplib.SMTP = (
        smtplib.SMTP_SSL(server.host, server.port, timeout=timeout_s, context=context)
        if server.security is Security.TLS
        else smtplib.SMTP(server.host, server.port, timeout=timeout_s)
    )
    with session:
        if server.security is Security.STARTTLS:
            session.starttls(context=context)
        if server.user is not None and server.password is not None:
            session.login(server.user, server.password)
        return len(session.send_message(message, server.sender, list(people)))

"""One e-mail, by the standard library's smtplib. STARTTLS unless the settings say otherwise.

* Where STARTTLS is asked for and the server does not offer it, nothing is sent: no password and no
  name of a node goes in clear by chance.
* All of it takes WHOLE seconds at most, however slowly a server answers: deadline.py.
* One that only some of its recipients are taken for counts as sent: to send it again would tell the
  others twice. Who was refused is told.
"""

from __future__ import annotations

import ssl
from contextlib import closing, suppress
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final

from saltern_protocol.errors import printable

from saltern_master.notify.deadline import Deadline
from saltern_master.notify.settings import Email
from saltern_master.notify.webhook import SendError

if TYPE_CHECKING:
    from smtplib import SMTP

SECONDS: Final = 15.0  # for each step
WHOLE: Final = 60.0


def message_of(email: Email, subject: str, text: str, identity: str) -> EmailMessage:
    """Give the message. `identity`: the same for the same notice, so that readers see it once."""
    made = EmailMessage()
    made["From"] = email.sender
    made["To"] = ", ".join(email.to)
    made["Subject"] = subject
    made["Message-ID"] = f"<{identity}@{email.sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday reply comes back
    made.set_content(text, charset="utf-8")
    return made


def send(email: Email, password: bytes, message: EmailMessage, seconds: float = WHOLE) -> str:
    """Send it and give what the server said; SendError."""
    import smtplib

    place, deadline = f"{email.server}:{email.port}", Deadline(seconds)
    try:
        with deadline, closing(_connected(email, deadline)) as server:
            if email.user:
                server.login(email.user, password.decode())
            refused = server.send_message(message)
            with suppress(smtplib.SMTPException, OSError):
                server.quit()  # it is taken: how they part changes nothing
    except UnicodeError:  # it quotes a letter of what it could not send, perhaps of the password
        why = "user, password or an address has letters that this server takes none of"
        raise SendError(f"cannot mail by {place}: {why}") from None
    except (smtplib.SMTPException, OSError, ValueError) as error:
        late = f"it was not done within {seconds:.0f} s" if deadline.over else ""
        raise SendError(printable(f"cannot mail by {place}: {late or _why(error)}")) from error
    some = f"; refused: {', '.join(sorted(refused))}" if refused else ""
    return printable(f"{place} took it{some}")


def _connected(email: Email, deadline: Deadline) -> SMTP:
    from saltern_master.notify.smtp import Client

    if email.security == "tls":
        context = ssl.create_default_context(cafile=email.ca_file)
        return Client(email.server, email.port, SECONDS, deadline, context)
    server = Client(email.server, email.port, SECONDS, deadline)
    try:
        if email.security == "starttls":
            server.starttls(context=ssl.create_default_context(cafile=email.ca_file))
    except BaseException:
        server.close()
        raise
    return server


def _why(error: Exception) -> str:
    refused = getattr(error, "recipients", None)
    if isinstance(refused, dict):
        return f"it takes nothing for {', '.join(sorted(refused))}"
    code = getattr(error, "smtp_code", None)
    said = getattr(error, "smtp_error", b"")
    if code is not None:
        return f"{code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    return str(error) or type(error).__name__

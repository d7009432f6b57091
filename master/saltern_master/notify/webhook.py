"""One POST to a webhook: signed, bounded in time and in what is read. The only place with httpx.

* A redirect is not followed and no proxy is taken from the environment: what is told goes to the
  address in the settings.
* Of the answer only the status counts; MOST_ANSWER bytes of it are told where it is a refusal. It
  is read as it comes: nothing is unpacked.
* All of it takes WHOLE seconds at most, however slowly somebody answers: deadline.py.
"""

from __future__ import annotations

import ssl
from typing import Final

from saltern_protocol.errors import printable

from saltern_master.errors import MasterError
from saltern_master.notify.deadline import Deadline
from saltern_master.notify.settings import Webhook
from saltern_master.notify.words import HEADER, signature

SECONDS: Final = 10.0  # for each of connect, write and read
WHOLE: Final = 30.0
MOST_ANSWER: Final = 500


class SendError(MasterError):
    """A receiver was not told; the text says why."""


def post(webhook: Webhook, secret: bytes, body: bytes, now: float, seconds: float = WHOLE) -> str:
    """Send a body and give what came back; SendError."""
    import httpx

    headers = {
        "content-type": "application/json",
        "user-agent": "saltern",
        "accept-encoding": "identity",
        HEADER: signature(secret, body, now),
    }
    deadline = Deadline(seconds)
    try:
        context: ssl.SSLContext | bool = False
        if webhook.url.lower().startswith("https:"):
            context = ssl.create_default_context(cafile=webhook.ca_file)
        client = httpx.Client(verify=context, timeout=SECONDS, trust_env=False)
        watched = {"trace": deadline.hear}
        going = client.stream(
            "POST", webhook.url, content=body, headers=headers, extensions=watched
        )
        with deadline, client, going as answer:
            said = "" if answer.is_success else _said(answer)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        what = str(error) or type(error).__name__
        what = f"it was not done within {seconds:.0f} s" if deadline.over else what
        raise SendError(printable(f"cannot reach {_place(webhook.url)}: {what}")) from error
    status = f"{answer.status_code} {answer.reason_phrase}".strip()
    if not answer.is_success:
        words = f": {said}" if said else ""
        raise SendError(printable(f"{_place(webhook.url)} answered {status}{words}"))
    return printable(status)


def _said(answer) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001 - httpx is imported late
    """Read the beginning of an answer."""
    data = b""
    for part in answer.iter_raw(MOST_ANSWER):
        data += part
        if len(data) >= MOST_ANSWER:
            break
    return data[:MOST_ANSWER].decode(errors="replace").strip()


def _place(url: str) -> str:
    """Give an address without its path, which may be a secret of the receiver's."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].partition('?')[0]}"

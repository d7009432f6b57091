"""One POST to a webhook: signed, bounded in time and in what is read. The only place with httpx.

* A redirect is not followed and no proxy is taken from the environment: what is told goes to the
  address in the settings.
* Of the answer only the status counts; MOST_ANSWER bytes of it are told where it is a refusal.
"""

from __future__ import annotations

import ssl
import time
from typing import Final

from saltern_protocol.errors import printable

from saltern_master.errors import MasterError
from saltern_master.notify.settings import Webhook
from saltern_master.notify.words import HEADER, signature

SECONDS: Final = 10.0  # for each of connect, write and read
WHOLE: Final = 30.0
MOST_ANSWER: Final = 500


class SendError(MasterError):
    """A receiver was not told; the text says why."""


def post(webhook: Webhook, secret: bytes, body: bytes, now: float) -> str:
    """Send a body and give what came back; SendError."""
    import httpx

    headers = {
        "content-type": "application/json",
        "user-agent": "saltern",
        HEADER: signature(secret, body, now),
    }
    try:
        context: ssl.SSLContext | bool = False
        if webhook.url.lower().startswith("https:"):
            context = ssl.create_default_context(cafile=webhook.ca_file)
        client = httpx.Client(verify=context, timeout=SECONDS, trust_env=False)
        with client, client.stream("POST", webhook.url, content=body, headers=headers) as answer:
            said = _said(answer)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        what = str(error) or type(error).__name__
        raise SendError(printable(f"cannot reach {_place(webhook.url)}: {what}")) from error
    status = f"{answer.status_code} {answer.reason_phrase}".strip()
    if not answer.is_success:
        told = f": {said}" if said else ""
        raise SendError(printable(f"{_place(webhook.url)} answered {status}{told}"))
    return printable(status)


def _said(answer) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001 - httpx is imported late
    """Read the beginning of an answer, and for no longer than WHOLE in all."""
    until, data = time.monotonic() + WHOLE, b""
    for part in answer.iter_bytes(MOST_ANSWER):
        data += part
        if len(data) >= MOST_ANSWER or time.monotonic() > until:
            break
    return data[:MOST_ANSWER].decode(errors="replace").strip()


def _place(url: str) -> str:
    """Give an address without its path, which may be a secret of the receiver's."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].partition('?')[0]}"

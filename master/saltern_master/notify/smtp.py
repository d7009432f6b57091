"""smtplib's client with a deadline for all of it. A module of its own: smtplib is imported late."""

from __future__ import annotations

import smtplib
import socket
import ssl

from saltern_master.notify.deadline import Deadline


class Client(smtplib.SMTP):
    """Speaks with one server; `tls`: from the first byte on (RFC 8314)."""

    def __init__(
        self,
        server: str,
        port: int,
        seconds: float,
        deadline: Deadline,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._deadline, self._tls = deadline, tls
        super().__init__(server, port, timeout=seconds)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Connect, as smtplib asks its own kinds of client to."""
        connection = socket.create_connection((host, port), timeout)
        try:
            self._deadline.watch(connection)
            if self._tls is not None:
                return self._tls.wrap_socket(connection, server_hostname=host)
        except BaseException:
            connection.close()
            raise
        return connection

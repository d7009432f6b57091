"""The other end of the control socket: asks the running agent and gives its answer line by line."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec

from saltern_agent.answers import DriftList, StatusLine
from saltern_agent.control import Question, to_json
from saltern_agent.events import DoneLine, DriftLine, End, HealedLine, MakingLine, PlannedLine

Answer = PlannedLine | MakingLine | DoneLine | DriftLine | HealedLine | DriftList | StatusLine | End
read_answer = msgspec.json.Decoder(Answer).decode


class NotRunningError(Exception):
    """Nobody answers at the control socket."""


def ask(path: Path, question: Question) -> Iterator[Answer]:
    """Ask, and give the answer's lines as they come; the last is an End."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunningError(f"no agent answers at {path}") from error
        connection.sendall(to_json(question) + b"\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                answer = read_answer(line)
                yield answer
                if isinstance(answer, End):
                    return
    yield End(False, "the agent went away before it had answered; see: journalctl -u saltern-agent")

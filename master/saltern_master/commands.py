"""Run one of the host's programs and read what it says.

Laws: the program is an absolute path, there is no shell, no standard input unless given,
always a deadline, and a failure quotes the program's own last words.
"""

import subprocess
from collections.abc import Mapping, Sequence

from saltern_master.errors import MasterError


class CommandError(MasterError):
    """A program of the host's failed, hung or is missing."""


def run(
    argv: Sequence[str],
    *,
    seconds: float = 30,
    environment: Mapping[str, str] | None = None,
    lock: int | None = None,
) -> str:
    """Give a program's standard output; CommandError when it fails or outlasts `seconds`.

    `lock` is the descriptor of a lock that the program holds too: when its caller is killed, it
    lives on, and nobody may take the lock before its deed is done.
    """
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            pass_fds=() if lock is None else (lock,),
            env=None if environment is None else dict(environment),
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"cannot wait longer for {_line(argv)}: {seconds:g} s passed") from error
    except subprocess.CalledProcessError as error:
        raise CommandError(
            f"cannot run {_line(argv)}: exit {error.returncode}: {_last_words(error.stderr)}"
        ) from error
    except OSError as error:
        raise CommandError(f"cannot run {_line(argv)}: {error.strerror}") from error
    return done.stdout


def _line(argv: Sequence[str]) -> str:
    line = " ".join(argv)
    return line if len(line) <= 200 else f"{line[:197]}..."


def _last_words(stderr: str) -> str:
    return " / ".join(stderr.strip().splitlines()[-5:]) or "it said nothing"

"""What ssh, a package manager and the agent said when it failed, and what to do about it. Pure.

ssh exits with 255 where it could not even begin (ssh(1)); why, it says on standard error, in
English whatever the locale. What is not in the table is told with ssh's own last words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from saltern_protocol.errors import printable

UNREACHED: Final = 255
MOST_WORDS: Final = 600

SSH: Final = (  # what it says, what that means, what to do; {host} as ssh was told
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "its host key is another one than ssh knows",
        "find out why before anything else: it may be another machine. Where it was made anew: "
        "ssh-keygen -R {bare}",
    ),
    (
        "Host key verification failed",
        "ssh does not know its host key",
        "look at it once yourself and let ssh remember it: ssh {host}",
    ),
    (
        "Permission denied",
        "ssh is not let in without a password",
        "put your key there (ssh-copy-id {host}), or let your ssh agent have it (ssh-add)",
    ),
    (
        "Too many authentication failures",
        "ssh offered too many keys",
        "name the right one: IdentityFile and IdentitiesOnly for {bare} in ~/.ssh/config",
    ),
    (
        "Could not resolve hostname",
        "nobody knows that name",
        "write it as ssh knows it, or give it a HostName in ~/.ssh/config",
    ),
    ("Connection refused", "no ssh server answers there", "start one: apt install openssh-server"),
    ("timed out", "it does not answer", "see that it is up, and that a firewall lets ssh through"),
    ("No route to host", "there is no way to it", "see that it is up, and your routes"),
    ("Network is unreachable", "there is no way to it", "see that it is up, and your routes"),
    ("Bad configuration option", "your ssh configuration has a fault", "see: ssh {host} true"),
    ("Bad owner or permissions", "your ssh configuration is not yours alone", "see: ssh {host}"),
    (
        "Connection closed by",
        "it closed the connection",
        "see its log; a server that has too many beginners at once says so (MaxStartups)",
    ),
)
NO_SHELL: Final = (126, 127)
_DEPENDS: Final = re.compile(r"Depends: ([a-z0-9][a-z0-9+.-]*)")
_REQUIRES: Final = re.compile(r"nothing provides ([^\s,]+)")
_PYTHON: Final = re.compile(r"(?:/usr/bin/)?python3(?:\.[0-9]+)?\Z")


def not_begun(said: str, host: str) -> str:
    """Say why ssh could not begin, and what to do."""
    for words, found, remedy in SSH:
        if words.lower() in said.lower():
            return f"{found}; {remedy.format(host=host, bare=host.rpartition('@')[2])}"
    return f"ssh could not begin: {last_words(said)}"


def not_run(status: int, said: str) -> str:
    """Say why a step that is expected to work anywhere failed."""
    if status in NO_SHELL:
        return f"its login shell ran nothing: {last_words(said)}"
    return f"it ended with {status}: {last_words(said)}"


def not_installed(said: str, package: str) -> str:
    """Say why a package manager refused the package, and what to do."""
    missing = sorted({*_DEPENDS.findall(said), *_REQUIRES.findall(said)})
    pythons = [one for one in missing if _PYTHON.match(one)]
    if pythons:
        needed = ", ".join(pythons)
        return (
            f"there is no Python for {package}: it needs {needed}, and the repositories that the "
            "machine knows do not have that; add one that does"
        )
    if missing:
        return (
            f"{package} needs {', '.join(missing)}, and its repositories do not have that, or were "
            "not reached; see there: apt-get update"
        )
    if "Could not get lock" in said or "lock-frontend" in said:
        return "another package manager works there; the same command again when it has ended"
    if "No space left" in said or "enough free space" in said:
        return f"there is no room for {package}; make some"
    return f"its package manager refused {package}: {last_words(said)}"


def last_words(said: str) -> str:
    """Give the end of what a program said, as one line."""
    lines: Iterable[str] = (line.strip() for line in said.splitlines())
    text = printable(" / ".join([line for line in lines if line][-6:]))
    return text[-MOST_WORDS:] or "it said nothing"

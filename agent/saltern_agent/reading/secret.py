"""Whether a file's text may leave the node. Pure: a name and a text -> why not, or "".

* What looks like a key, a token, a password or a login stays, and the whole file with it: half a
  file would be held as if it were all. A file that is kept back for nothing costs a person a
  line in a cluster file; one that is told for nothing costs a key. So a long word of small and
  capital letters and digits is enough: docker's key.json (a JWK) was found by that.
* That a file is kept from others (0600) says nothing here: kubeadm's manifests are, and hold
  no secret; what is in the file does.
"""

from __future__ import annotations

import re
from typing import Final

NAMES: Final = re.compile(
    r".*(\.key|\.csv|\.pfx|\.p12|\.kdbx|token|password|secret)[^/]*\Z|(.*[._-])?keys?(\.[a-z0-9]+)?\Z",
    re.IGNORECASE,
)
_WORD: Final = (
    r"(?:pass(?:word|wd|phrase|code)?(?![a-rt-z])|pwd?(?![a-z])|secret|token|psk\b|credentials?"
    r"|(?:api|access|private|encryption|signing|shared|auth|master|certificate|session|hmac|aes)"
    r"[_-]?key|(?-i:_KEY))"
)
_NAMED: Final = rf"{_WORD}(?!name)[a-z0-9_]{{0,40}}[\"']?[ \t]{{0,20}}"
_VALUE: Final = r"[ \t]{0,20}[\"']?(?!/|(?:true|false|null|none)\b|[\"'\s{}\[\]])\S"
_ITEM: Final = r"(?:[ \t,]|\n[ \t]{0,40}-)[\s\"',]{0,40}(?!-|/)\w"
TEXTS: Final = tuple(
    (why, re.compile(pattern, re.IGNORECASE | re.MULTILINE))
    for why, pattern in (
        ("a private key", r"BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"),
        ("a private key", r"client-key-data"),
        ("a token or password", rf"{_NAMED}[=:]{_VALUE}"),
        ("a token or password", rf"{_NAMED}:[ \t]{{0,20}}\n[ \t]{{1,40}}[^\s:#-][^\n:]{{0,400}}$"),
        (
            "a token or password",
            rf"name\"?:[ \t]{{0,20}}\S{{0,80}}{_WORD}\S{{0,80}}\s{{1,80}}\"?value\"?:{_VALUE}",
        ),
        ("a token or password", rf"--[a-z-]{{0,40}}{_WORD}[\"']?{_ITEM}"),
        ("a token", r"\bbearer[ \t]{1,20}[^\s$]"),
        ("a login", r"\bauthorization[\"']?[ \t]{0,20}[:=][ \t\[\"']{0,20}\w{1,40}[ \t]{1,20}\S"),
        ("a login to a registry", rf"(?<![a-z])auth[\"']?[ \t]{{0,20}}[=:]{_VALUE}"),
        ("a key", r"\bkey[\"']?[ \t]{0,20}[=:][ \t]{0,20}[\"']?[0-9a-f]{32}"),
        ("a login to a registry", r"\"(?:auth|auths|identitytoken|registrytoken)\"[ \t]{0,20}:"),
        ("a login", r"://[^/\s:@\"']{0,200}:[^/\s@\"']{1,200}@"),
        ("a bootstrap token", r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b"),
        ("a web token", r"\beyJ[A-Za-z0-9_-]{8,400}\.eyJ"),
        ("a key of encryption at rest", r"\bkind:[ \t]{0,20}\"?EncryptionConfig"),
        ("a key", r"\"kty\"[ \t]{0,20}:"),
    )
)
"""Each part that repeats has a bound, so that no file, whatever is in it, takes long to look at."""

_LONG: Final = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{40,}")
_SORTS: Final = (re.compile("[a-z]"), re.compile("[A-Z]"), re.compile("[0-9]"))


def why_secret(path: str, text: str) -> str:
    """Say what in a file keeps it on the node; "" where nothing does."""
    if NAMES.match(path.rpartition("/")[2]):
        return "by its name it holds keys or tokens"
    for why, pattern in TEXTS:
        if pattern.search(text):
            return f"it holds {why}"
    if any(all(sort.search(word) for sort in _SORTS) for word in _LONG.findall(text)):
        return "it holds a long word as keys and tokens are"
    return ""

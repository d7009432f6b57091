"""One iptables rule as text: whether it may be handed to iptables, and when two are the same.

Laws:

* `check` refuses what would make iptables do more than add a rule: iptables runs the program
  that --modprobe names, and loads the shared object that -m, -j and -p name, wherever a
  "../" in the name leads. Options that are cut short or joined to their value by "=" are
  refused with them: getopt would find in them what is not seen here. So are those that are
  of the command and not of the rule: iptables skips a rule with "--ipv6" without a word.
* `canonical` is idempotent, and canonical(a) == canonical(b) only where iptables makes one
  rule of both. The reverse holds for what people vary: order of options, long names, bare
  addresses, "-m tcp" left out, quotes. Extensions' own defaults are not known here: write
  those as iptables-save prints them.
* The order of the -m matches counts: "-m limit" takes its tokens only where what stands
  before it matched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from itertools import pairwise

LONG = {
    "--source": "-s",
    "--src": "-s",
    "--destination": "-d",
    "--dst": "-d",
    "--in-interface": "-i",
    "--out-interface": "-o",
    "--protocol": "-p",
    "--proto": "-p",
    "--fragment": "-f",
    "--match": "-m",
    "--jump": "-j",
    "--goto": "-g",
    "--source-port": "--sport",
    "--destination-port": "--dport",
    "--source-ports": "--sports",
    "--destination-ports": "--dports",
}
"""Other names of an option (iptables(8), iptables-extensions(8))."""

COMMAND = (
    *("--append", "--check", "--delete", "--delete-chain", "--exact", "--flush", "--help"),
    *("--insert", "--ipv4", "--ipv6", "--line-numbers", "--list", "--list-rules", "--modprobe"),
    *("--new-chain", "--numeric", "--policy", "--rename-chain", "--replace", "--set-counters"),
    *("--table", "--verbose", "--version", "--wait", "--wait-interval", "--zero"),
)
"""Long options of the command (iptables(8)): they say what is done, and are never printed."""

OWNED = {"--set": "recent", "--pol": "policy"}
"""Options of a match that are also a command's, cut short: getopt takes the whole one first."""

PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "132": "sctp"}
"""Numbers that iptables-save prints as names."""

BASE = ("-s", "-d", "-i", "-o", "-p", "-f")
"""The options that belong to no extension, in the order in which iptables-save prints them."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,28}\Z")
_PLAIN = re.compile(r"[A-Za-z0-9_.,:/+=%*@#-]+\Z")
_NUMBER = re.compile(r"-[0-9]+\Z")
_FAMILY = re.compile(r"-[46]+\Z")
_UNORDERED = ("--ctstate", "--state")


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a rule."""

    text: str
    quoted: bool

    @property
    def is_option(self) -> bool:
        """Whether it names an option: a quoted word never does, a negative number never does."""
        return self.text.startswith("-") and not self.quoted and not _NUMBER.match(self.text)


@dataclass(slots=True)
class _Group:
    """A match or the target, with the options that follow it."""

    name: str
    options: list[tuple[str, ...]] = field(default_factory=list)


def tokens(rule: str) -> tuple[Token, ...]:
    """Split as iptables-restore does: only "…" quotes, and a backslash counts only inside."""
    found: list[Token] = []
    text, quoted, inside, escaped = "", False, False, False
    for char in rule:
        if inside and (escaped or char not in '\\"'):
            text, escaped = text + char, False
        elif inside and char == "\\":
            escaped = True
        elif char == '"':
            inside, quoted = not inside, True
        elif char in " \t":
            if text or quoted:
                found.append(Token(text, quoted))
            text, quoted = "", False
        else:
            text += char
    if inside:
        raise ValueError(f'cannot read the rule {rule!r}: a quote is open; close it with "')
    return (*found, Token(text, quoted)) if text or quoted else tuple(found)


def check(rule: str) -> None:
    """Raise ValueError where iptables would read more in it than one rule."""
    words = tokens(rule)
    if not words or (words[0].text != "!" and not words[0].is_option):
        raise ValueError(f"cannot take the rule {rule!r}: it starts with no option")
    for place, word in enumerate(words):
        why = _wrong(word) or _misplaced(words, place)
        if why:
            raise ValueError(f"cannot take the rule {rule!r}: {word.text!r} {why}")


def canonical(rule: str) -> str:
    """Give the form that stands for all spellings of one rule; ValueError for an open quote."""
    base, groups = _parse(tokens(rule))
    words: list[str] = []
    for name in BASE:
        for option in sorted(base.get(name, ())):
            words += option
    protocol = next((o[-1] for o in base.get("-p", ()) if o[0] != "!"), "")
    for group in _joined(groups, protocol):
        words += [*group.name.split(), *(w for option in sorted(group.options) for w in option)]
    return " ".join(words)


def target(rule: str) -> str:
    """Give what the rule jumps or goes to; "" where it does neither."""
    words = tokens(rule)
    for one, other in pairwise(words):
        if not one.quoted and LONG.get(one.text, one.text) in ("-j", "-g"):
            return other.text
    return ""


def quote(text: str) -> str:
    """Write one word so that iptables-restore reads it back."""
    if _PLAIN.match(text) or text == "!":
        return text
    return '"' + re.sub(r'(["\\\'])', r"\\\1", text) + '"'


def lacks_protocol(rule: str) -> bool:
    """Say whether it has options of a protocol's match, as --dport, and names no protocol."""
    base, groups = _parse(tokens(rule))
    named = any(option[0] != "!" for option in base.get("-p", ()))
    return bool(groups[0].options) and not named


def _options_at(words: tuple[Token, ...], place: int) -> bool:
    return place < len(words) and words[place].is_option


def _cut_short(name: str) -> bool:
    """Say whether getopt would read it as one of our long options: "--jum" is "--jump"."""
    return name.startswith("--") and name not in LONG and any(o.startswith(name) for o in LONG)


def _misplaced(words: tuple[Token, ...], place: int) -> str:
    word = words[place]
    before = LONG.get(words[place - 1].text, words[place - 1].text) if place else ""
    if word.text == "!" and not word.quoted and not _options_at(words, place + 1):
        return "stands before no option"
    if _valued(word) and not _value_at(words, place + 1):
        return "has no value"
    if _of_command(words[:place], word):
        return "is an option of the command, not of a rule"
    if before in ("-m", "-j", "-g", "-p") and not _NAME.match(word.text):
        return "is no name of a match, target or protocol"
    if before in ("-s", "-d") and not _is_network(word.text):
        return "is not one IPv4 address or network: a name or a list makes several rules"
    return ""


def _of_command(before: tuple[Token, ...], word: Token) -> bool:
    """Say whether getopt would read it as an option of the command, cut short or whole."""
    if word.text in OWNED:
        named = (two.text for one, two in pairwise(before) if LONG.get(one.text, one.text) == "-m")
        return OWNED[word.text] not in named
    return word.text.startswith("--") and any(name.startswith(word.text) for name in COMMAND)


def _value_at(words: tuple[Token, ...], place: int) -> bool:
    return place < len(words) and not words[place].is_option and words[place].text not in ("", "!")


def _valued(word: Token) -> bool:
    name = LONG.get(word.text, word.text)
    return word.is_option and name in (*BASE, "-m", "-j", "-g") and name != "-f"


def _wrong(word: Token) -> str:
    name = word.text.split("=", 1)[0]
    if len(name) > 1 and "--modprobe".startswith(name):  # "--" alone ends the options
        return "would name a program to run"
    if word.quoted and (word.text.startswith("-") or word.text == "!"):
        return "is quoted, which does not keep iptables from reading it as an option"
    if word.is_option and ("=" in word.text or _cut_short(name)):
        return "is not how iptables-save prints an option; write it whole, its value apart"
    if _FAMILY.match(word.text):
        return "names a family of addresses, and iptables would skip the rule of the other one"
    short = word.is_option and not word.text.startswith("--")
    if short and word.text not in (*BASE, "-m", "-j", "-g"):
        return "is no option of a rule"
    return ""


def _parse(words: tuple[Token, ...]) -> tuple[dict[str, list[tuple[str, ...]]], list[_Group]]:
    base: dict[str, list[tuple[str, ...]]] = {}
    groups = [_Group("")]  # "": before the first -m: options of the protocol
    for option in _options(words):
        name = option[1] if option[0] == "!" and option[1:] else option[0]
        if name in BASE:
            base.setdefault(name, []).extend(_base(option))
        elif name in ("-m", "-j", "-g"):
            groups.append(_Group(" ".join(option)))
        else:
            groups[-1].options.append(_values(option))
    return base, groups


def _options(words: tuple[Token, ...]) -> list[tuple[str, ...]]:
    """Cut into options, each with its "!" before and its values after."""
    found: list[list[str]] = []
    negated = False
    for word in words:
        if word.text == "!" and not word.quoted:
            negated = True
        elif word.is_option or not found:
            name = LONG.get(word.text, word.text)
            found.append(["!", name] if negated else [name])
            negated = False
        else:
            found[-1].append(quote(word.text))
    return [tuple(option) for option in found]


def _base(option: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Give the option with its value in the kernel's form; [] where it says nothing."""
    *name, value = option
    if option[-1].startswith("-"):
        return [option]
    if name[-1] in ("-s", "-d"):
        value = network(value)
    elif name[-1] == "-p":
        value = PROTOCOLS.get(value.lower(), value.lower())
    if value in ("0.0.0.0/0", "all", "0") and name[0] != "!":
        return []
    return [(*name, value)]


def _values(option: tuple[str, ...]) -> tuple[str, ...]:
    if option[-2:-1] and option[-2] in _UNORDERED:
        return (*option[:-1], ",".join(sorted(option[-1].split(","))))
    return option


def _joined(groups: list[_Group], protocol: str) -> list[_Group]:
    """Put the protocol's own match first and the target last, with the target's default."""
    own = _Group("")
    matches: list[_Group] = []
    ends: list[_Group] = []
    for group in groups:
        if group.name in ("", f"-m {protocol}"):
            own.options += group.options
        elif group.name.startswith("-m "):
            matches.append(group)
        else:
            ends.append(group)
    if own.options:
        own.name = f"-m {protocol}" if protocol else ""
        matches.insert(0, own)
    for group in ends:
        if group.name == "-j REJECT" and not group.options:
            group.options.append(("--reject-with", "icmp-port-unreachable"))
    return matches + ends


def _is_network(text: str) -> bool:
    try:
        IPv4Network(text, strict=False)
    except ValueError:
        return False
    return True


def network(text: str) -> str:
    """Give an address or network as the kernel keeps it: masked; a host name stays."""
    try:
        return str(IPv4Network(text, strict=False))
    except ValueError:
        return text

"""Text that would do something if anybody took it for more than text; each bears MARK."""

from __future__ import annotations

import random
from collections.abc import Iterator

MARK = "zq7"
CANARY = "canary-5e1f0a77c3"  # a secret that lies where these reach for it
TEMPLATES = (
    "{m}; touch {proof}", "$(touch {proof}){m}", "`touch {proof}`{m}", "{m}|touch {proof}",
    "{m}&&touch${{IFS}}{proof}", "{m}\ntouch {proof}\n", "'{m}'; touch {proof} #",
    "\";touch {proof};\"{m}", "-rf", "-{m}", "--{m}", "--exec=touch {proof}",
    "--modprobe=/bin/touch {m}", "-o{m}=x", "-oDpkg::Pre-Invoke::=touch\\ {proof}",
    "--config=/dev/zero", "-C{proof}{m}", "-j {m}", "-D INPUT", "{m}.service --no-block reboot",
    "-.mount", "{m}@%n.service", "{m}%h%H%m", "{m}\\x2d{m}",
    "-m comment --comment \"{m}\" -j ACCEPT", "-j ACCEPT -m comment --comment {m}\nCOMMIT\n*nat",
    "-j RETURN\n-F INPUT {m}", "# {m}", "*{m}", ":{m} - [0:0]", "COMMIT {m}", "-A INPUT -j {m}",
    "{{{{7191919*7191919}}}}{m}", "{{% for x in ().__class__ %}}{m}", "${{KEY}}{m}",
    "#{{7191919*7191919}}{m}", "%(KEY)s{m}", "{m}{{0.__class__}}", "!!python/object:os.system {m}",
    "&{m} [*{m}]", "{m}: {{<<: *a}}", "- {m}\n- b: c", "{m}\"\nkind: Pod\nspec: {{hostPID: true}}",
    "{m}': '", "{m} #", "---\n{m}", "{m}\u2028b: c", "\x1b]0;{m}\x07", "\x1b[2J{m}", "\x9b31m{m}",
    "{m}\r\x1b[Aok", "{m}\x08\x08\x08", "\u202e{m}", "{m}\x00x", "<3>{m}", "{m}\n<0>kernel: owned",
    "{m}\nNov 23 00:00:00 host sshd: ok", "../../{m}", "/{m}/../../etc", "$(cat {secret}){m}",
    "@{secret}", "file://{secret}", "{m}${{SALTERN_SECRET}}", "%{{{secret}}}", "system:masters",
    "system:masters,{m}", "{m}/CN=admin", "*.{m}", "{m}\\,O=system:masters", "a" * 5000, "{m}",
    "{m}.service", "{m}:1", "/etc/{m}", "/etc/-{m}", "/etc/{m};touch {m}", "/etc/$({m})",
    "/{m} \"%n$x", "net.{m}", "{m}/{m}:1", "10.0.0.0/8 {m}",
    "-s 10.0.0.0/8 -j RETURN -m comment --comment \"$({m})\"",
)  # fmt: skip


def payloads(seed: int, count: int, proof: str, secret: str) -> Iterator[str]:
    """Give so many, every template first, in any order; then templates that are put together."""
    chance = random.Random(seed)
    plain = chance.sample(TEMPLATES, len(TEMPLATES))
    for number in range(count):
        if number < len(TEMPLATES):
            template = plain[number]
        else:
            parts = chance.sample(TEMPLATES, 2)
            template = chance.choice(("", " ", "\n", ";", "-")).join(parts)
        yield template.format(m=MARK, proof=proof, secret=secret)

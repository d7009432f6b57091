"""saltern key: who may sign what, and how that changes.

Nothing here asks the running master: it sees a new root or policy in HOME by itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from saltern_protocol.errors import ProtocolError
from saltern_protocol.keys import KEY_BYTES, PREFIX, PrivateKey, PublicKey, fingerprint, generate
from saltern_protocol.root import Root

from saltern_master.cli import key_pages
from saltern_master.cli.faults import faults_told
from saltern_master.cli.key_pages import KeyRow, Keys, key_rows, signed_of
from saltern_master.cli.moments import clock
from saltern_master.cli.output import Output, lines_of, say
from saltern_master.cli.own_home import OwnHome
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import FileError, UsageError, read_bytes
from saltern_master.errors import MasterError
from saltern_master.signing import ceremony
from saltern_master.signing.authority import newest_policy, newest_root, read_authority
from saltern_master.signing.home import Home, link_public, write_whole
from saltern_master.signing.key_file import read_key
from saltern_master.signing.next_root import (
    ONLINE,
    ROLES,
    CeremonyError,
    Wish,
    key_named,
    roles_of,
    shown,
    without,
)
from saltern_master.signing.proposal import (
    Proposal,
    current_root,
    decode_proposal,
    encode_proposal,
    lacking,
    needs,
    proposed,
    sign_proposal,
)

UNDONE = 3
"""The exit status where what was asked for is not in force yet."""

app = typer.Typer(no_args_is_help=True, help="Who may sign what: keys, roots, and their rotation.")

KeyTexts = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="ed25519:...", help="A key of the role; may be given again."),
]
RaiseEpoch = Annotated[
    bool,
    typer.Option("--raise-epoch", help="Let versions start afresh: a stolen key ran them high."),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Write the proposal there and take nothing in, even if all signed."),
]
ProposalFile = Annotated[Path, typer.Argument(metavar="FILE", help="A proposal.")]


@app.command()
def make(
    file: Annotated[Path, typer.Argument(help="Where the private half goes; nothing is there.")],
    output: Output = Output.TABLE,
) -> None:
    """Make a key pair, anywhere: no home and no network are needed. Show its public half."""
    with faults_told():
        row = _public_row(ceremony.make_key(file, secrets.token_bytes), file)
        if output is Output.JSON:
            typer.echo(msgspec.json.format(msgspec.json.encode(row)))
            return
        _show_rows([row], output)


@app.command("list")
def list_keys(home: OwnHome = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """List the keys of every role, where they are, and when root and policy end."""
    with faults_told():
        page = _page(Home(home))
        if output is Output.JSON:
            typer.echo(msgspec.json.format(msgspec.json.encode(page)))
            return
        typer.echo("\n".join(lines_of(page.keys, ("role", "needed", "fingerprint", "here"))))
        for line in key_pages.keys_lines(page):
            say(line)


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="A role, a fingerprint, a key file or a proposal.")],
    home: OwnHome = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Show a key's public half, or what a proposal would change and who has signed it."""
    with faults_told():
        path = Path(what)
        if what not in ROLES and path.is_file():
            _show_file(path, output)
            return
        page = _page(Home(home))
        if what in ROLES:
            rows = [row for row in page.keys if row.role == what]
        else:
            public = str(key_named(newest_root(Home(home)), what))
            rows = [row for row in page.keys if row.public == public]
        _show_rows(rows, output)


@app.command()
def rotate(
    role: Annotated[str, typer.Argument(help="root, policy, state, lease; or link.")],
    key: KeyTexts = None,
    threshold: Annotated[
        int | None, typer.Option(help="How many of its keys must sign; as before if not given.")
    ] = None,
    raise_epoch: RaiseEpoch = False,
    out: Out = None,
    home: OwnHome = DEFAULT_HOME,
) -> None:
    """Give a role other keys, by the next root: those of --key alone, or one that is made here.

    link is no role of the root: nodes know the master by it, and each has to be told the new one.

    Exit status: 0 in force, or written as --out asks; 3 not in force yet: others have to sign.
    """
    with faults_told():
        where = Home(home)
        if role == "link" and not (key or threshold or raise_epoch or out):
            _rotate_link(where)
            return
        if role not in ROLES:
            raise UsageError(f"cannot rotate {role!r}: the roles are {', '.join(ROLES)}")
        keys = _public_keys(key or [])
        with where.locked():
            before = roles_of(newest_root(where))[role]
            made = {} if keys else {role: generate(secrets.token_bytes)}
            keys = keys or (made[role].public,)
            wish = Wish(keys, before.threshold if threshold is None else threshold)
            _propose(where, {role: wish}, raise_epoch, out, made)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its fingerprint, as key list has it.")],
    instead: KeyTexts = None,
    raise_epoch: RaiseEpoch = False,
    out: Out = None,
    home: OwnHome = DEFAULT_HOME,
) -> None:
    """Name a key no more, by the next root; the only state or lease key is replaced.

    Exit status: 0 in force, or written as --out asks; 3 not in force yet: others have to sign.
    """
    with faults_told():
        where = Home(home)
        others = _public_keys(instead or [])
        with where.locked():
            root = newest_root(where)
            public = key_named(root, key)
            alone = [name for name in ONLINE if roles_of(root)[name].keys == (public,)]
            made = {} if others else {name: generate(secrets.token_bytes) for name in alone}
            others = others or tuple(one.public for one in made.values())
            _propose(where, without(root, public, others), raise_epoch, out, made)


@app.command()
def renew(out: Out = None, home: OwnHome = DEFAULT_HOME) -> None:
    """Let the root live for another year, with the same keys.

    Exit status: 0 in force, or written as --out asks; 3 not in force yet: others have to sign.
    """
    with faults_told():
        where = Home(home)
        with where.locked():
            _propose(where, {}, False, out, {})


@app.command()
def sign(
    file: ProposalFile,
    key: Annotated[Path, typer.Option("--key", help="The file of your private key.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; you have read it.")] = False,
) -> None:
    """Show what a proposal would change, and add your signature to the file. No home is needed."""
    with faults_told():
        proposal = _read(file)
        _say_proposal(proposal)
        read_bytes(key)  # one that is not there was named wrongly
        signed = sign_proposal(proposal, read_key(key))
        if not yes and not typer.confirm("Sign this?", err=True):
            raise UsageError("cannot go on: you did not say yes; the file is as it was")
        write_whole(file, encode_proposal(signed), 0o644)
        missing = lacking(signed)
        say(f"signed {file}")
        for line in missing:
            say(f"  {line}")
        if not missing:
            say(f"enough have signed; at the master: saltern key take {file}")


@app.command()
def take(file: ProposalFile, home: OwnHome = DEFAULT_HOME) -> None:
    """Take in a root or a policy that enough have signed; the running master goes on under it."""
    with faults_told():
        where = Home(home)
        proposal = _read(file)
        with where.locked():
            _take(where, proposal)


def propose_policy_to(home: Home, out: Path) -> None:
    """Write policy.yaml as a proposal, signed with the keys that are here."""
    with home.locked():
        _hand_on(ceremony.propose_policy(home, int(clock())), out)


def _rotate_link(home: Home) -> None:
    with home.locked():
        kept = home.replace_link_key(secrets.token_bytes(KEY_BYTES))
    public = key_pages.link_text(link_public(home.link_key()))
    typer.echo(public)
    say("nodes know the master by this key as soon as it is started anew; on each node, then:")
    say(f"  saltern-agent master {public}")
    say("  systemctl restart saltern-agent")
    say(f"the old key is kept in {kept}; tokens that were made before are of no use any more")


def _propose(
    home: Home,
    wishes: Mapping[str, Wish],
    raise_epoch: bool,
    out: Path | None,
    made: Mapping[str, PrivateKey],
) -> None:
    """Propose the next root; take it in where all who must can sign here, else write a file."""
    proposal = ceremony.propose_root(home, wishes, raise_epoch, int(clock()), made)
    if out is None and not lacking(proposal):
        _take(home, proposal)
        return
    version = proposed(proposal).version
    _hand_on(proposal, out or home.path / f"root-{version}.proposal")
    if out is None:
        raise typer.Exit(UNDONE)


def _take(home: Home, proposal: Proposal) -> None:
    taken = ceremony.take(home, proposal, int(clock()))
    what = "root" if isinstance(taken.thing, Root) else "policy"
    until = key_pages.date(taken.thing.expires)
    already = " already; there was nothing to do" if taken.before else ""
    if taken.before and newest_root(home) != taken.thing:
        say(f"{what} {taken.thing.version} was taken in{already}; it is followed by later ones")
        return
    say(f"{what} {taken.thing.version} is in force{already}; it expires {until}")
    for note in taken.notes:
        say(f"note: {note}")


def _hand_on(proposal: Proposal, path: Path) -> None:
    path = path.absolute()
    write_whole(path, encode_proposal(proposal), 0o644)
    _say_proposal(proposal)
    say(key_pages.unforced_line(current_root(proposal), proposed(proposal)))
    if lacking(proposal):
        say(f"wrote {path}; each who is missing runs: saltern key sign {path} --key FILE")
        say(f"then here: saltern key take {path}")
    else:
        say(f"wrote {path}; enough have signed: saltern key take {path}")


def _say_proposal(proposal: Proposal) -> None:
    after = proposed(proposal)
    for line in (
        *key_pages.change_lines(current_root(proposal), after),
        *key_pages.need_lines(needs(proposal)),
    ):
        say(line)


def _read(file: Path) -> Proposal:
    try:
        return decode_proposal(read_bytes(file))
    except CeremonyError as error:
        raise FileError(str(error)) from error


def _page(home: Home) -> Keys:
    root, policy, now = newest_root(home), newest_policy(home), int(clock())
    here: dict[PublicKey, Path] = {}
    for name, role in roles_of(root).items():
        here |= home.keys_among(name, role.keys)
    return Keys(
        cluster=root.cluster,
        root=signed_of(root, now),
        policy=None if policy is None else signed_of(policy, now),
        keys=(*key_rows(root, here), _link_row(home)),
        held_back=_held_back(home),
    )


def _link_row(home: Home) -> KeyRow:
    public = link_public(home.link_key())
    path = str(home.path / "keys" / "link.key")
    return KeyRow("link", "", fingerprint(public), path, key_pages.link_text(public))


def _held_back(home: Home) -> str:
    try:
        return read_authority(home).held_back
    except (MasterError, ProtocolError) as error:
        return str(error)


def _show_file(path: Path, output: Output) -> None:
    data = read_bytes(path)
    if len(data) <= 2 * 64:
        _show_rows([_public_row(read_key(path).public, path)], output)
        return
    proposal = _read(path)
    if output is Output.JSON:
        plain = {
            "now": key_pages.plain(current_root(proposal)),
            "proposed": key_pages.plain(proposed(proposal)),
            "lacking": lacking(proposal),
        }
        typer.echo(msgspec.json.format(msgspec.json.encode(plain)))
        return
    lines = key_pages.change_lines(current_root(proposal), proposed(proposal))
    typer.echo("\n".join([*lines, *key_pages.need_lines(needs(proposal))]))


def _public_row(key: PublicKey, path: Path) -> KeyRow:
    return KeyRow("", "", shown(key), str(path), str(key))


def _show_rows(rows: Sequence[KeyRow], output: Output) -> None:
    if output is Output.JSON:
        typer.echo(msgspec.json.format(msgspec.json.encode(rows)))
        return
    for row in rows:
        if row.role:
            typer.echo(f"role         {row.role}, {row.needed}")
        typer.echo(f"fingerprint  {row.fingerprint}")
        typer.echo(f"public       {row.public}")
        typer.echo(f"private      {row.here or 'not here'}")


def _public_keys(texts: Sequence[str]) -> tuple[PublicKey, ...]:
    """Read keys of the command line; UsageError tells all that are none."""
    keys, faults = [], []
    for text in texts:
        try:
            keys.append(PublicKey.parse(text))
        except ProtocolError as error:
            faults.append(f"{error}; saltern key make prints it ({PREFIX}...)")
    if faults:
        raise UsageError("\n".join(faults))
    return tuple(keys)

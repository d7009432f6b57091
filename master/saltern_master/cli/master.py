"""saltern master: the process that nodes speak with."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal

import typer

from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import UsageError, refusals_told
from saltern_master.cli.remote import HomePath

app = typer.Typer(no_args_is_help=True, help="The process that nodes speak with.")

ANY = "0.0.0.0"
ELSEWHERE = ("192.0.2.1", 9)  # TEST-NET-1, RFC 5737: what leads there is the default route


def _port(variable: str) -> Any:  # noqa: ANN401  # as typer has it
    return typer.Option(min=0, max=65_535, envvar=variable, help="0: any that is free.")


@app.callback()
def group() -> None:
    """Keep `run` a command of its own."""


@app.command()
def run(
    home: HomePath = DEFAULT_HOME,
    listen: Annotated[
        str,
        typer.Option(metavar="ADDRESS", envvar="SALTERN_LISTEN", help="Where nodes come to."),
    ] = ANY,
    link_port: Annotated[int, _port("SALTERN_LINK_PORT")] = 6555,
    door_port: Annotated[int, _port("SALTERN_DOOR_PORT")] = 6556,
    advertise: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            envvar="SALTERN_ADVERTISE",
            help="What tokens say; --listen, or the address that the default route leaves by.",
        ),
    ] = None,
    confinement: Annotated[
        Literal["whole", "partial"],
        typer.Option(
            envvar="SALTERN_CONFINEMENT",
            help="Where the kernel cannot keep the front in: end, or say so and go on.",
        ),
    ] = "whole",
    metrics: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS:PORT",
            envvar="SALTERN_METRICS",
            help="Tell /metrics there too, such as 127.0.0.1:9655, to whoever asks; an address "
            "that others reach wants ,anybody behind it.",
        ),
    ] = "",
) -> None:
    """Run the master until it is told to stop (SIGTERM, Ctrl-C)."""
    with refusals_told():
        address, told = str(_address(listen)), advertise or _advertised(listen)
        _checked(metrics)
        from saltern_master.core.run import run_core

        run_core(
            home,
            listen=address,
            link_port=link_port,
            door_port=door_port,
            advertise=told,
            confinement=confinement,
            metrics=metrics,
        )


def _checked(metrics: str) -> None:
    from saltern_master.metrics.address import AddressError, address_of

    try:
        if metrics:
            address_of(metrics)
    except AddressError as error:
        raise UsageError(str(error)) from error


def _address(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except ValueError as error:
        raise UsageError(f"cannot listen on {text!r}: it is no IPv4 address") from error


def _advertised(listen: str) -> str:
    """Give what nodes shall be told: where we listen, or how this machine is reached."""
    if listen != ANY:
        return listen
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(ELSEWHERE)  # sends nothing: the kernel only looks up the route
        except OSError as error:
            text = "cannot tell this machine's address: it has no default route; give --advertise"
            raise UsageError(text) from error
        return str(asking.getsockname()[0])

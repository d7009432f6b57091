"""WatchLink and WatchRoute, heard by rtnetlink.

* An address event bears only a link's index, and a link that is deleted has its addresses
  taken first; so names are kept by index, from before that.
* The kernel drops IPv4 routes in silence when their link goes, is set down, or loses an
  address. So it is kept over which links each watched route leads: what befalls the link
  touches the route. What is kept may say too much, never too little.
"""

from __future__ import annotations

import socket

from saltern_states.contract import Watch, WatchLink, WatchRoute

from saltern_agent.host.events import rtnetlink
from saltern_agent.host.events.netlink import Listener
from saltern_agent.host.events.rtnetlink import (
    ADDRESSES,
    LINKS,
    NETLINK_ROUTE,
    ROUTES,
    AddressNews,
    Destination,
    LinkNews,
    News,
    RouteNews,
)
from saltern_agent.sources import Events


class LinkSource:
    """Tells when a link, its addresses, or a route may have changed."""

    def __init__(self) -> None:
        self._listener = Listener(NETLINK_ROUTE, LINKS | ADDRESSES | ROUTES)
        self._names = dict(socket.if_nameindex())
        self._links: dict[str, WatchLink] = {}
        self._routes: dict[Destination, set[WatchRoute]] = {}
        self._over: dict[Destination, set[int]] = {}
        self._trouble = ""

    def fileno(self) -> int:
        """Give the netlink socket's descriptor."""
        return self._listener.fileno()

    def set_watches(self, watches: frozenset[Watch]) -> None:
        """Listen to these WatchLinks and WatchRoutes."""
        self._links = {watch.name: watch for watch in watches if isinstance(watch, WatchLink)}
        routes: dict[Destination, set[WatchRoute]] = {}
        for watch in watches:
            if isinstance(watch, WatchRoute):
                routes.setdefault(rtnetlink.destination(watch.destination), set()).add(watch)
        added = routes.keys() - self._routes.keys()
        self._routes = routes
        self._over = {key: self._over.get(key, set()) for key in routes}
        if added or self._trouble:
            self._learn_routes()

    def read(self) -> Events:
        """Give the links and routes to look at again."""
        heard, lost = self._listener.read()
        touched: set[Watch] = set()
        for message in heard:
            news = rtnetlink.parse(message)
            if news is not None:
                touched |= self._touched(news)
        if lost:
            self._names |= dict(socket.if_nameindex())
            self._learn_routes()
        return Events(frozenset(touched), lost)

    def trouble(self) -> str:
        """Say that the kernel would not name its routes; which links they lead over is unknown."""
        return self._trouble

    def close(self) -> None:
        """Let go of the socket."""
        self._listener.close()

    def _learn_routes(self) -> None:
        """Ask over which links the watched routes lead; what is known already stays."""
        if not self._routes:
            return
        try:
            for route in rtnetlink.routes():
                if route.destination in self._over:
                    self._over[route.destination] |= route.over
        except OSError as error:
            self._trouble = f"cannot list routes: {error.strerror or error}"
        else:
            self._trouble = ""

    def _touched(self, news: News) -> set[Watch]:
        match news:
            case LinkNews():
                return self._hear_link(news)
            case AddressNews(index, gone):
                name = self._names.get(index, "")
                return self._on({name}) | (self._leading_over(index) if gone else set())
            case RouteNews(destination, over, _):
                if destination in self._over:
                    self._over[destination] |= over
                return set(self._routes.get(destination, ()))

    def _hear_link(self, news: LinkNews) -> set[Watch]:
        before = self._names.get(news.index, news.name)  # another name: it was renamed
        touched = self._on({before, news.name})
        if news.gone or not news.up:
            touched |= self._leading_over(news.index)
        if news.gone:
            self._names.pop(news.index, None)
            for over in self._over.values():
                over.discard(news.index)
        else:
            self._names[news.index] = news.name
        return touched

    def _on(self, names: set[str]) -> set[Watch]:
        return {self._links[name] for name in names if name in self._links}

    def _leading_over(self, index: int) -> set[Watch]:
        keys = (key for key, over in self._over.items() if index in over)
        return {watch for key in keys for watch in self._routes[key]}

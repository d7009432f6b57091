"""WatchPath, heard by inotify and the mount table.

* Every directory on the way from / to a watched path is watched for names that come and go,
  and the thing at its end by its own inode. So an edit, a replacement by rename, a removal, a
  directory that is moved away and back, a symlink swapped in and a path that does not exist
  yet are all seen; and a neighbour's content, which is no entry on the way, wakes nobody.
* Of a watched directory the entries' names count, not their content: that has WatchPaths of
  its own. Our own temporary files are no entries.
* A symlink is where the way ends: nothing is followed, as in the port Files.
* A place is listened to anew before read() tells of it, so a look made then misses nothing.
* /proc and /sys send no events.
* Where the kernel gives no inotify instance, mounts are still heard, trouble() says what to
  raise, and every set_watches() tries again.
* Paths may be those below another root than "/"; what happens above that is not listened to,
  but for mounts.
"""

from __future__ import annotations

import errno
import select
from collections.abc import Iterable, Iterator
from pathlib import Path

from saltern_states.contract import Watch, WatchPath
from saltern_states.ports import HostError

from saltern_agent.host.events.inotify import Event, Inotify, Mask
from saltern_agent.host.events.mounts import Mounts
from saltern_agent.host.temporary import is_temporary
from saltern_agent.sources import Events

NAMES = Mask.CREATE | Mask.DELETE | Mask.MOVED_FROM | Mask.MOVED_TO
CONTENT = Mask.ATTRIB | Mask.MODIFY | Mask.CLOSE_WRITE
GONE = Mask.IGNORED | Mask.UNMOUNT
NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Place:
    """A name on the way to something watched, or that thing itself."""

    __slots__ = ("above", "below", "goes_on", "name", "path", "watch", "wd")

    def __init__(self, above: Place | None, name: str) -> None:
        self.above = above
        self.name = name
        self.path: str = "/" if above is None else f"{above.path.rstrip('/')}/{name}"
        self.below: dict[str, Place] = {}
        self.watch: WatchPath | None = None
        self.wd: int | None = None
        self.goes_on = False  # it is a directory and listened to: what is below can be

    def all(self) -> Iterator[Place]:
        """Give this place and every one below it."""
        waiting = [self]
        while waiting:
            place = waiting.pop()
            yield place
            waiting.extend(place.below.values())


class PathSource:
    """Tells when something may have changed at a path; HostError where no descriptor is left.

    `root`: the directory, absolute and without symlinks, that stands for "/".
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._top = str(root).rstrip("/")
        self._inotify: Inotify | None = None
        self._none = ""  # why there is no inotify
        try:
            self._mounts = Mounts()
            self._epoll = select.epoll()
        except OSError as error:
            why = f"{error.strerror}; let the agent open more files (LimitNOFILE=)"
            raise HostError(f"cannot watch files: {why}") from error
        self._epoll.register(self._mounts.fileno(), select.EPOLLPRI)
        self._root = Place(None, "")
        self._watches: frozenset[WatchPath] = frozenset()
        self._places: dict[int, set[Place]] = {}  # by the watch's number: an inode has many names
        self._deaf: dict[Place, str] = {}
        self._open()

    def fileno(self) -> int:
        """Give the one descriptor that stands for both."""
        return self._epoll.fileno()

    def set_watches(self, watches: frozenset[Watch]) -> None:
        """Listen to these WatchPaths; what could not be listened to before is tried again."""
        if self._inotify is None:
            self._open()
        mine = frozenset(watch for watch in watches if isinstance(watch, WatchPath))
        for watch in self._watches - mine:
            self._forget(self._place(watch.path))
        for watch in mine - self._watches:
            place = self._place(watch.path)
            place.watch = watch
            self._arm(_first_silent(place))
        self._watches = mine
        for place in tuple(self._deaf):
            self._arm(_first_silent(place))

    def read(self) -> Events:
        """Give the paths to look at again."""
        touched: set[Watch] = set()
        moved: set[Place] = set()
        lost = False
        for event in self._inotify.read() if self._inotify else ():
            if event.mask & Mask.Q_OVERFLOW:
                lost = True
                moved.add(self._root)
            for place in self._places.get(event.wd, ()):
                _hear(place, event, touched, moved)
        for point in self._mounts.changed():
            self._mounted(point, touched, moved)
        for place in _outermost(moved):
            touched.update(below.watch for below in place.all() if below.watch)
            self._arm(place)
        return Events(frozenset(touched), lost)

    def trouble(self) -> str:
        """Say which paths cannot be watched."""
        return self._none or "; ".join(sorted(self._deaf.values()))

    def close(self) -> None:
        """Let go of every descriptor."""
        self._epoll.close()
        if self._inotify:
            self._inotify.close()
        self._mounts.close()

    def _open(self) -> None:
        """Get an inotify instance, and listen to all that is watched already."""
        try:
            self._inotify = Inotify()
        except OSError as error:
            self._none = _without_inotify(error)
            return
        self._none = ""
        self._epoll.register(self._inotify.fileno(), select.EPOLLIN)
        self._arm(self._root)

    def _mounted(self, point: str, touched: set[Watch], moved: set[Place]) -> None:
        """A mount hides all below its point, and looks like an entry of the directory above."""
        inside = self._inside(point)
        if inside is None:
            return
        place = self._root
        names = Path(inside).parts[1:]
        for depth, name in enumerate(names, start=1):
            if depth == len(names) and place.watch:
                touched.add(place.watch)
            below = place.below.get(name)
            if below is None:
                return
            place = below
        moved.add(place)

    def _inside(self, point: str) -> str | None:
        """Give a mount point as the root's own path; what is mounted over the root is at "/"."""
        if not self._top:
            return point
        if Path(self._top).is_relative_to(point):
            return "/"
        below = Path(point).is_relative_to(self._top)
        return point.removeprefix(self._top) if below else None

    def _place(self, path: Path) -> Place:
        """Find the place of a path, making it and those on the way where they are new."""
        place = self._root
        for name in path.parts[1:]:
            below = place.below.get(name)
            if below is None:
                below = place.below[name] = Place(place, name)
            place = below
        return place

    def _forget(self, place: Place) -> None:
        """Drop a watch, and the places that led to it alone."""
        place.watch = None
        while place.above is not None and not place.below and place.watch is None:
            self._disarm(place)
            del place.above.below[place.name]
            place = place.above

    def _arm(self, top: Place) -> None:
        """Listen anew to a place and all below it, downwards: what moves meanwhile is heard."""
        for place in top.all():
            self._disarm(place)
        waiting = [top]
        while waiting:
            place = waiting.pop()
            self._listen(place)
            if place.goes_on:
                waiting.extend(place.below.values())

    def _listen(self, place: Place) -> None:
        """Watch what stands at a place: a directory, or anything else where the way ends there."""
        mask = NAMES | (Mask.ATTRIB if place.watch else 0)
        number = self._add(place, mask | Mask.ONLYDIR)
        place.goes_on = number == 0
        if number == errno.ENOTDIR and place.watch:
            self._add(place, CONTENT)

    def _add(self, place: Place, mask: int) -> int:
        """Add a watch; give 0 or the errno. What is no matter of being there is trouble."""
        if self._inotify is None:
            return errno.EMFILE
        try:
            path = f"{self._top}{place.path}"
            place.wd = self._inotify.add(path, mask | Mask.DONT_FOLLOW | Mask.MASK_ADD)
        except OSError as error:
            if error.errno not in NOT_THERE:
                self._deaf[place] = _deafness(place.path, error)
            return error.errno or errno.EIO
        self._places.setdefault(place.wd, set()).add(place)
        return 0

    def _disarm(self, place: Place) -> None:
        self._deaf.pop(place, None)
        place.goes_on = False
        if place.wd is None:
            return
        wd, place.wd = place.wd, None
        sharers = self._places[wd]
        sharers.discard(place)
        if not sharers:
            del self._places[wd]
            if self._inotify:
                self._inotify.remove(wd)


def _hear(place: Place, event: Event, touched: set[Watch], moved: set[Place]) -> None:
    """Note what one event means for one of its places."""
    if event.name:
        if not event.mask & NAMES:
            return
        if place.watch and not is_temporary(event.name):
            touched.add(place.watch)
        below = place.below.get(event.name)
        if below is not None:
            moved.add(below)
    elif event.mask & GONE:
        moved.add(place)
    elif place.watch:
        touched.add(place.watch)


def _first_silent(place: Place) -> Place:
    """Give the place nearest the root from which listening must begin, at the latest `place`."""
    first = place
    while place.above is not None:
        place = place.above
        if not place.goes_on:
            first = place
    return first


def _outermost(places: Iterable[Place]) -> Iterator[Place]:
    """Leave out what lies below another one."""
    chosen = set(places)
    for place in chosen:
        above = place.above
        while above is not None and above not in chosen:
            above = above.above
        if above is None:
            yield place


def _without_inotify(error: OSError) -> str:
    """Say why there is no instance: EMFILE is the user's, as our own descriptors were had before.

    inotify(7): the user is the kernel's, so a host and containers that have its root share one.
    """
    why = error.strerror
    if error.errno == errno.EMFILE:
        why = (
            "no inotify instance is left for this user, whose number all processes and "
            "containers of the machine share; raise it: sysctl fs.inotify.max_user_instances=8192"
        )
    return f"cannot watch files, and looks at them by the clock alone: {why}"


def _deafness(path: str, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"cannot watch {path}: no inotify watch is left; raise fs.inotify.max_user_watches"
    return f"cannot watch {path}: {error.strerror}"

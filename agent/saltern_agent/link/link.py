"""The link: a session with a socket, a thread for the disk, and an agent that acts.

It lives in the agent's loop and decides nothing: what happens is put to the session (session.py),
and what that asks for is done. Nothing in here waits; a master that is silent or broken costs a
descriptor and a timer.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Container
from typing import TypeVar

from msgspec.structs import replace
from saltern_protocol.errors import MalformedError
from saltern_protocol.messages import Doc, Health, Message, Plan, Report, encode
from saltern_states.ports import HostError

from saltern_agent.applying import Order
from saltern_agent.durable import NotDurableError
from saltern_agent.host.link_socket import LinkSocket
from saltern_agent.journal import JournalError
from saltern_agent.link import words
from saltern_agent.link.certificates import Requests
from saltern_agent.link.needs import Chance, Deeds
from saltern_agent.link.pages import no_plan
from saltern_agent.link.reporting import tells_of
from saltern_agent.link.session import Session
from saltern_agent.link.stock import Reading, Stock
from saltern_agent.places import Master
from saltern_agent.status import LinkStatus
from saltern_agent.worker import Worker

T = TypeVar("T")
READ_AGAIN = 15.0  # seconds between two attempts to read a journal that cannot be read
STOPPING = 5.0  # seconds that the part in hand gets to be written


class MasterLink:
    """The link to one master. All but `changed` and `issue` is for the loop's thread."""

    def __init__(
        self,
        master: Master,
        about: words.About,
        socket: LinkSocket,
        stock: Worker[Stock],
        deeds: Deeds,
        chance: Chance,
    ) -> None:
        self._master, self._about, self._socket = master, about, socket
        self._stock, self._deeds, self._chance = stock, deeds, chance
        self._session: Session | None = None
        self._given: deque[words.Input] = deque()
        self._hearing = False
        self._more = False  # came than was read
        self._attempts = 0
        self._acked = 0
        self._reading = False  # the journal, in the other thread
        self._stale = False  # it changed since that began, or could not be read
        self._read_at = 0.0  # when it is tried again
        self._started = False
        self._requests = Requests(stock.post)
        self._trouble = ""
        self._untold = 0  # the turn of a document whose result the master may not have yet

    def start(self) -> None:
        """Begin: the first connection follows as soon as the journal was read."""
        self._started = True
        self._stock.start(self._failed)
        self._read()

    def filenos(self) -> tuple[int, ...]:
        """Give the descriptors to poll."""
        return (self._stock.fileno(), *self._socket.filenos())

    def wait(self, monotonic: float) -> float:
        """Give the seconds until something is due."""
        due = self._session.due() if self._session else math.inf
        if self._stale and not self._reading:
            due = min(due, self._read_at)
        return 0.0 if self._more else max(0.0, due - monotonic)

    def turn(self, monotonic: float, woken: Container[int]) -> None:
        """Take what has come. What is sent can use up the wake of what comes: look once more."""
        if self._stock.fileno() in woken:
            self._stock.collect()
        self._take_what_came(woken)
        if self._session is not None and self._session.due() <= monotonic:
            self._hear(words.Tick())
        if self._stale and not self._reading and self._read_at <= monotonic:
            self._read()
        while self._socket.unsure and not self._more:
            self._take_what_came(())

    def _take_what_came(self, woken: Container[int]) -> None:
        came = self._socket.read(woken)
        self._more = came.more
        if came.opened:
            self._hear(words.Opened())
        for frame in came.frames:
            self._hear(words.Came(frame))
        if came.lost:
            self._hear(words.Lost(came.lost))

    def status(self) -> LinkStatus:
        """Say how it stands."""
        session, wall, monotonic = self._session, self._chance.wall(), self._chance.monotonic()
        address = f"{self._address()}:{self._master.link_port}"
        if session is None:
            why = self._trouble or "the journal is being read"
            return LinkStatus(master=address, state="away", since=wall, why=why)
        leased = session.lease_until
        return LinkStatus(
            master=address,
            state=session.state,
            since=wall - (monotonic - session.since) if session.since else wall,
            why=session.why,
            lease_until=wall + leased - monotonic if leased else 0.0,
            unacked=session.reporting.batch.waiting,
            fetching=str(session.fetching or ""),
            ignored=session.ignored,
            malformed=session.malformed,
        )

    @property
    def opened(self) -> int:
        """How many connections were set out for, since the agent's start."""
        return self._attempts

    @property
    def leased(self) -> int:
        """The number of the connection over which a lease came and which still stands; 0: none."""
        return self._attempts if self._session and self._session.state == "up" else 0

    @property
    def asking(self) -> bool:
        """Whether a certificate was asked for, and has not come."""
        return self._requests.waiting > 0

    def anew(self) -> None:
        """Leave the connection, and open another one at once."""
        self._hear(words.Anew())

    def stop(self) -> None:
        """End the connection and the thread."""
        self._socket.end()
        if self._started:
            self._stock.submit(Stock.close, lambda _: None)
            self._stock.stop(STOPPING)

    def changed(self) -> None:
        """The journal has something new for the master. From any thread."""
        self._stock.post(self._read)

    def issue(self, resource: str, csr: bytes) -> bytes:
        """Have the master certify a key (PKCS#10, DER) for a resource of this node's body; PEM.

        For the keeper's thread, which waits, at most 20 s. HostError: why there is none.
        """
        return self._requests.issue(self._want, resource, csr)

    def unreached(self) -> str:
        """Say why the master would be asked in vain; "" where not. From any thread."""
        session = self._session
        if session is None:
            return "the link to the master is not up yet"
        return "" if session.state == "up" else f"the master is not reached: {session.why}"

    # What the session is told

    def _hear(self, given: words.Input) -> None:
        """Put something to the session, and do what it asks for; one after the other."""
        self._given.append(given)
        if self._hearing or self._session is None:
            return
        self._hearing = True
        try:
            while self._given:
                now = self._chance.monotonic()
                for output in self._session.hear(self._given.popleft(), now):
                    self._do(output)
        finally:
            self._hearing = False

    def say(self, message: Message) -> None:
        """Say something to the master, if it is there."""
        self._hear(words.Say(message))

    def beat(self) -> None:
        """Say how the agent is now, before it is due."""
        self.say(self._health(b""))

    def _want(self, number: int, resource: str, csr: bytes) -> None:
        if self._session is None:
            self._requests.give(number, b"", self.unreached())
        else:
            self._hear(words.Wanted(number, resource, csr))

    # What the session asks for

    def _do(self, output: words.Output) -> None:
        match output:
            case words.Send():
                self._send(output.message)
            case words.SendHealth() | words.SendCondition():
                self._tell(output)
            case words.Open() | words.Close():
                self._connect(output)
            case words.Look() | words.Read():
                self._look(output)
            case words.Leave() | words.LetGo():
                self._leave(output)
            case words.Acked():
                self._acked = output.seq
                self._read()
            case words.Give():
                self._requests.give(output.request, output.chain, output.why)
            case words.Check() | words.Write() | words.Take() | words.Refuse():
                self._work(output)

    def _look(self, output: words.Look | words.Read) -> None:
        """Look at everything that is held, or read what an adoption wants to know."""
        if isinstance(output, words.Read):
            self._deeds.read(output.turn, self.say)
        elif not output.turn or output.turn != self._untold:  # else its result is the answer
            self._deeds.look(output.turn, self.say)

    def _leave(self, output: words.Leave | words.LetGo) -> None:
        """Leave drift alone for a while; or let go of the node for good."""
        if isinstance(output, words.LetGo):
            self._deeds.let_go()
        else:
            self._deeds.leave(output.hold, output.since)

    def _work(self, output: words.Check | words.Write | words.Take | words.Refuse) -> None:
        """Have something done by the thread that has the disk."""
        match output:
            case words.Check():
                offer = output.offer
                self._ask_stock(
                    lambda stock: stock.check(offer),
                    self._or_else(lambda why: words.Declined(offer, "fault", why)),
                )
            case words.Write():
                self._ask_stock(
                    lambda stock: stock.write(output),
                    self._or_else(lambda why: words.Spoiled(output.blob, why)),
                )
            case words.Take():
                self._ask_stock(
                    lambda stock: stock.statement(output.offer),
                    lambda statement: self._take(output.offer, statement),
                )
            case words.Refuse(Doc()):
                self._ask_stock(
                    lambda stock: stock.refuse(output), lambda error: self._refused(output, error)
                )
            case words.Refuse():
                self.say(no_plan(output.offer.turn, output.reason, output.why))

    def _tell(self, output: words.SendHealth | words.SendCondition) -> None:
        """Say how the agent is, or how the node's parts are."""
        match output:
            case words.SendHealth():
                told: Message | None = self._health(output.nonce)
            case words.SendCondition():
                told = self._deeds.condition()
        if told is not None:
            self._send(told)

    def _health(self, nonce: bytes) -> Health:
        """Say how the agent is; that it fetches is known only here."""
        health = self._deeds.health(nonce)
        fetching = self._session is not None and self._session.fetching is not None
        return replace(health, state="fetching") if fetching else health

    def _connect(self, output: words.Open | words.Close) -> None:
        if isinstance(output, words.Close):
            self._socket.close()
            return
        self._attempts += 1
        try:
            self._socket.open(self._address(), self._master.link_port)
        except OSError as error:
            self._hear(words.Lost(f"cannot connect: {error}"))

    def _address(self) -> str:
        """One after the other: any may be the one that answers."""
        return self._master.addresses[max(0, self._attempts - 1) % len(self._master.addresses)]

    def _send(self, message: Message) -> None:
        try:
            data = encode(message)
        except MalformedError as error:  # ours: it must not end the agent, nor pass unseen
            self._deeds.complain(f"a fault of the agent's own, please report it: {error}")
            return
        if isinstance(message, Report) and tells_of(message, self._untold):
            self._untold = 0  # what is said from here on comes after it
        if not self._socket.send(data):
            self._hear(words.Lost("the master does not take what it is told"))

    # What the other thread answers

    def _ask_stock(self, job: Callable[[Stock], T], ended: Callable[[T | Exception], None]) -> None:
        """Have the thread that has the disk do something; the agent ends where its disk fails."""

        def answered(answer: T | Exception) -> None:
            if isinstance(answer, NotDurableError):
                self._deeds.end(answer)
            else:
                ended(answer)

        self._stock.submit(job, answered)

    def _or_else(
        self, otherwise: Callable[[str], words.Input]
    ) -> Callable[[words.Input | Exception], None]:
        """Put an answer to the session; where there is a fault of our own, what stands for it."""

        def answered(answer: words.Input | Exception) -> None:
            if isinstance(answer, Exception):
                answer = otherwise(f"{type(answer).__name__}: {answer}")
            self._hear(answer)

        return answered

    def _take(self, offer: words.Offer, statement: bytes | Exception) -> None:
        if isinstance(statement, Exception):
            refusal = words.Refuse(offer, "journal", str(statement))
            self._hear(words.Over(offer))
            if not isinstance(statement, JournalError | HostError):
                self._deeds.complain(f"the link: {statement}")
            self._work(refusal)
        elif isinstance(offer, Doc):
            order, self._untold = Order(offer.turn, offer.expects), offer.turn
            self._deeds.take(order, statement, lambda reason: self._hear(words.Over(offer, reason)))
        else:
            self._deeds.consider(offer.turn, statement, lambda page: self._page(offer, page))

    def _page(self, offer: words.Offer, page: Message) -> None:
        self.say(page)
        if isinstance(page, Plan) and page.last:
            self._hear(words.Over(offer))

    def _refused(self, refusal: words.Refuse, error: Exception | None) -> None:
        if refusal.reason != "superseded":
            self._deeds.complain(f"the master's document is not taken: {refusal.why}")
        if error is not None:
            self._deeds.refuse(refusal)

    def _read(self) -> None:
        """Read what the journal says; once more when it changes meanwhile."""
        self._stale = True
        if not self._reading:
            self._reading, self._stale = True, False
            acked = self._acked
            self._ask_stock(lambda stock: stock.read(acked), self._was_read)

    def _was_read(self, reading: Reading | Exception) -> None:
        self._reading = False
        if isinstance(reading, Exception):
            self._read_at = self._chance.monotonic() + READ_AGAIN
            if self._trouble != str(reading):
                self._trouble = str(reading)
                self._deeds.complain(f"cannot tell the master anything: {reading}")
            self._stale = True
            return
        self._trouble = ""
        if self._session is None:
            chance = self._chance
            self._session = Session(
                self._about, reading.standing, reading.batch, chance.jitter, chance.nonce
            )
            self._hear(words.Tick())
        else:
            self._hear(words.Stands(reading.standing))
            self._hear(words.Waits(reading.batch))
        if self._stale:
            self._read()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, NotDurableError):
            self._deeds.end(error)
            return
        self._trouble = str(error)
        self._deeds.complain(f"the link to the master does not start: {error}")

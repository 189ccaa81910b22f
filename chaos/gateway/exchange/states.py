"""Where an exchange is, and where it can go from there.

Every exchange begins as WAITING and ends as DONE, once. What belongs to a state exists only in it: a timer in DELAYED
and BACKING_OFF, an attempt in CONNECTING, SENT and ANSWERING, a response in ANSWERING, nothing in DONE. The route's
timeout runs across states, from the moment when the whole request has been received and its delay is over."""

from __future__ import annotations


class State:
    """One of the seven below, compared by identity. Not an Enum, whose hash would cost every request."""

    __slots__ = ("name", "then")

    then: frozenset[State]  # where an exchange can go from here

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return self.name


WAITING = State("WAITING")  # for its turn: requests on one connection are answered in order
DELAYED = State("DELAYED")  # by the rule's fault
CONNECTING = State("CONNECTING")  # an attempt waits for a connection
SENT = State("SENT")  # the request's head has been sent on the attempt's connection
BACKING_OFF = State("BACKING_OFF")  # between two attempts
ANSWERING = State("ANSWERING")  # the head of a response has been sent, its body has not
DONE = State("DONE")  # answered, cut off, or a tunnel; or the client is gone

TRANSITIONS: dict[State, tuple[State, ...]] = {
    WAITING: (DELAYED, CONNECTING, SENT, DONE),  # SENT: a connection was idle; DONE: a local reply
    DELAYED: (CONNECTING, SENT, DONE),
    CONNECTING: (SENT, BACKING_OFF, DONE),
    SENT: (ANSWERING, BACKING_OFF, CONNECTING, SENT, DONE),  # again CONNECTING or SENT: the connection was dead
    BACKING_OFF: (CONNECTING, SENT, DONE),
    ANSWERING: (DONE,),  # a response that has begun is never begun again
    DONE: (),
}

for _state, _then in TRANSITIONS.items():
    _state.then = frozenset(_then)

"""Reading a node for who wants to adopt it: facts of fixed places, nothing secret, nothing changed.

    host ── read_node() ──> facts ── pages() ──> messages

* The places stand in places.py; no message and no document adds one.
* Nothing is written, started or asked to start; each thing is read by itself, so that one that
  fails hides no other: it is a fact too (Unread).
"""

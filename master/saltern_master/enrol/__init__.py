"""Who is let in, as which node, and who is shut out: decisions, and the one loop that commits.

tokens.py    a token is made
decide.py    a machine asks at the door
approve.py   an operator lets a machine in; a node is revoked, or forgotten
knock.py     reads, decides, commits, and reads again where somebody else was faster

A decision is made from what was read (Standing) and gives writes that expect it to stand still:
of two that cannot both be, one is committed and the other is decided anew.
"""

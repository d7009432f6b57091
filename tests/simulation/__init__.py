"""A thousand nodes at a real master: `make bench-rollout`.

node.py     one simulated node: the agent's own session, keeper and journal over a node in memory
crowd.py    a process that is some hundreds of them, each over a CURVE connection of its own
ground.py   the master, its members, and their crowds
measure.py  what is done with them, and what came of it
page.py     the figures for a reader
"""

"""The upgrade of the agent by itself: a process of its own that ends with one working agent.

    ground.py    where all of it lies, and the unit
    begin.py     in the old agent: a way back, the order, the unit; then it hands over
    repack.py    the package that is installed, as a .deb file again: the way back
    program.py   the modules marked * as one file that runs without the agent
  * records.py   what is on the disk: order, stage, end; and what the new agent tells of itself
  * stages.py    what is to be done next, pure
  * machine.py   dpkg and systemd, as far as an upgrade needs them
  * run.py       the loop that does what stages.py says, until it has ended

Modules marked * know the standard library and one another only: they run while the agent's own
tree is being replaced (docs/adr/0028).
"""

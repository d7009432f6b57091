"""The doctor of the whole: traps that a cluster file shows, and those that only two nodes show.

* What a cluster file must not say is an error there (cluster/check.py) and is never told here too:
  these are traps of a file that compiles.
* What each node found is its agent's (saltern_agent.doctor); here it is only put beside the rest.
* All of it is pure: core gives what it knows, and the command line a file.
"""

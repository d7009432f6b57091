"""How the parts of a node are: what the accepted body makes it have, looked at every 15 seconds.

    body -> Wanted (wanted.py) -> what is there now (probes.py, machine.py) -> judged (judging.py)
         -> damped, since when (damping.py) -> Condition, said where it is news (watch.py)

* Whether a thing is as declared is told by drift; here it is told whether it works.
* Addresses, paths and certificates come from the accepted body alone, nothing from a message.
"""

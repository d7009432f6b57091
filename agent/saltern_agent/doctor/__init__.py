"""The doctor: traps of a node that are known from the field, each named with its remedy.

    body ─declared()─> Declared ─┐
    node ──── look() ─────────────┴─> Surroundings ── TRAPS (pure) ──> findings

* A trap is what the accepted body does not hold, or what hinders it. What the body holds and is
  otherwise just now is drift: it is told and set right elsewhere, and never told here too.
* Before a node has a body, what Saltern will set right by itself once it has one is told as not
  bad (`bad=False`), what it will not is bad.
* Looking changes nothing, has a deadline for each thing that is asked, and never raises: what
  could not be seen is one finding "cannot-tell", which is not bad.
"""

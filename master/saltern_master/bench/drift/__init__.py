"""The bench of drift: from damage on a real, joined node to the master's store, and to its end.

ground.py     a control plane and a worker that have joined a master
damages.py    the ways to break the worker; probe.py does it, in the node
following.py  who follows drift at the master, and when what came there
measure.py    runs; figures.py what they come to; page.py for a reader
"""

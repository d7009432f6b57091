"""What the master tells a Prometheus: numbers of what core knows, and the text of them.

families.py   every name, its type, its labels and what it means: the one table
tally.py      what is counted as it happens, since core started
scene.py      what the numbers are taken from
measure.py    scene, counts -> numbers. Pure
text.py       numbers -> the text of an exposition, by prometheus-client
address.py    where /metrics may listen besides the API's socket
listen.py     that listener: /metrics and nothing else
"""

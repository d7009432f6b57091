"""The bench: figures of the agent, taken on a lab node that it holds.

__main__   arguments, the lab, what is printed and written
cluster.yaml   of forty resources
probe      runs in the node, as a program of its own: it looks at the agent from outside
damages    runs in the node beside it: what is broken, and how
measure    has the probe run, and gathers what it prints
figures    what was measured, and the goals; pure
page       the figures as a table and as a page of docs/measured; pure

Beside it, each a command of its own:

packages   both packages as they are installed, on each release of Debian
crowd      fifty agents at one master
cluster    three machines that become a cluster
site, tables, processes, turns    what these share
"""

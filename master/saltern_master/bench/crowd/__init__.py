"""Fifty agents at one master: figures of joining, of a first apply, a no-op and a changed file.

__main__   arguments, what is measured in which order, what is printed and written
crowd      the master and the agents, as processes
body       what the nodes shall be
figures    what was measured, and the goals; pure
page       the figures as a table and as a page of docs/measured; pure
"""

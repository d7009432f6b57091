"""The packages as they are installed: what they weigh, how soon an agent has looked, its memory.

__main__   arguments, what is printed and written
body       what the node is held to: cluster.yaml, of forty resources, and the policy for it
ground     a freshly booted node, the packages on it, a cluster of it alone
probe      runs in the node: dpkg's time, sizes, starts of the service
measure    has the probes run, and gathers what they print
figures    what was measured, and the goals; pure
page       the figures as a table and as a page of docs/measured; pure
"""

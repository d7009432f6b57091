"""Three bare machines that become a cluster: figures of the apply, of a no-op, and at rest.

__main__   arguments, the lab, what is printed and written
ground     the lab and the HOME that it is measured on
measure    what is measured, in which order
figures    what was measured, and the goals; pure
page       the figures as a table and as a page of docs/measured; pure
"""

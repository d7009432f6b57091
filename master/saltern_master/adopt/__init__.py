"""Adoption: a node that hands or kubeadm have made -> the part of a cluster file that holds it.

    survey (facts) ── describe() ──> Part ── part_text() ──> YAML ── inserted() ──> cluster file

All of it is pure. Laws:

* What the part declares is what the node said that it has, to the byte: so its plan is empty.
* Everything that was found stands in the part, or in `left` with the reason.
* What a node says is data: it is quoted, escaped and bounded, and never becomes YAML of its own.
"""

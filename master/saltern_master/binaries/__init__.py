"""Kubernetes' own programs: from the official release, from a directory, or built.

components.py      which there are, and how each says its version        pure
elf.py             what a program file is made for                       pure
check.py           run a program and compare what it says                effects
release.py         the project's download site, with its checksums       effects
apt_source.py      a source package by the machine's own apt             effects
debian_source.py   1.20.2 built from Debian's source package             effects
add.py             use-cases: into the library from any of the three     effects
"""

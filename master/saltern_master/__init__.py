"""Decides who gets what: cluster file, compile, sign, binaries, lab."""

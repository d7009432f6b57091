"""Backups of HOME: one file that holds it as it was at one moment, and the way back.

manifest   what is in a backup: names, sizes, hashes, and what was left out; pure
archive    the file: a tar whose first member is the manifest
scratch    a directory that is swept when whoever made it was killed
contents   which files of HOME go into a backup
take       HOME -> FILE
restore    FILE -> HOME
"""

"""Bundles: one signed file with all that a cluster file needs, for a master without internet.

manifest   what is in a bundle: the cluster file, the library's entries, every content     pure
head       who signed which manifest                                                       pure
layout     the file, to the byte: a tar in one form and no other                           pure
needs      a cluster file and a library -> what has to come along, or all that lacks       pure
create     library -> FILE; another signature
reading    FILE -> all that is wrong with it, or nothing
signers    HOME/bundle-signers.json: whose bundles this master takes
bring      FILE -> library, all or nothing
"""

"""Builds Saltern's packages: .deb, .rpm, wheels, sdists, a wheelhouse. Nothing here is delivered.

Values and texts are pure: targets, products, programs, manual, completion, copyright, needless,
config. What runs programs is beside them: pip and uv for wheels, nfpm for packages, readelf and
strip for compiled modules, lintian and rpm to look at what was made. How to use it stands in
docs/howto/build-packages.md, why it is so in ADR 0027.
"""

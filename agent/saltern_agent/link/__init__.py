"""The link to the master: what is said (session.py, pure), what it is said with, and who acts."""

"""Fakes of the master's ports, for tests. Each passes the same contract suite as the real thing."""

"""Pure expansions: a part of the cluster file and a node's facts -> resources."""

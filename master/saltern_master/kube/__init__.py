"""Kubernetes' own API: Node objects as the cluster file has them, drain, readiness."""

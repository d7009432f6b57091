"""Upgrades of the agent with a real dpkg on small packages of its own, and who kills them."""

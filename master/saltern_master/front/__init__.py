"""The front: speaks ZeroMQ with the nodes, and holds no key that signs and no store."""

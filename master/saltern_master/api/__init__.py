"""The HTTP API: what people and programs may ask of a running master, on a unix socket."""

"""What agent and master say to each other: pure values, no sockets, no clock, no files."""

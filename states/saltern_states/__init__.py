"""What a node can be told to be: one file per kind."""

"""Keys, policy and documents: everything between a compiled body and the file that a node takes."""

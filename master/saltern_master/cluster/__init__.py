"""The cluster file: what a person wants, read strictly, with every error told at once."""

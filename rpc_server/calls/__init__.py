"""One call of a tool, whoever asked for it."""

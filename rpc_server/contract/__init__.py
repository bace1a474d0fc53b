"""What a tool is made of: the only part of the server that handlers may import."""

"""A language model behind a wire: the real client against a server that speaks Vertex AI's format."""

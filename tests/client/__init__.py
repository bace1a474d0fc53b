"""The project's own client, against the real server and against servers that misbehave."""

"""What the server stands on: PostgreSQL, keys; the only part that imports their drivers."""

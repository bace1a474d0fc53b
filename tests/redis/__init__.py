"""What replicas share: the same tests for Redis and for its in-process twin, and what happens without Redis."""

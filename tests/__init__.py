"""Tests: sentences about the real thing, on real PostgreSQL and over real HTTP."""

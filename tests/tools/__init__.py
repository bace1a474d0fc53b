"""Tools on a real PostgreSQL, their figures against independent counts."""

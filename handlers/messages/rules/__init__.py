"""Judging without a model: rules for Portuguese and English, and dictionaries where they are installed."""

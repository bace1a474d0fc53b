"""A black box over HTTP."""

"""Servers and connections that die amid changes: what a client was told happened once, and nothing else did.

`make test` strikes a few times. `make ci-slow` strikes as often as is promised; its numbers are
FAULT_ROUNDS (strikes at each named point) and FAULT_RANDOM_STRIKES (that hit changes).
"""

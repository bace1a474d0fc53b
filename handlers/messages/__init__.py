"""How good an agent's messages are: sampled, redacted, scored by a model or by rules."""

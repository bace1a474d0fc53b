"""What must agree with each other does, in both directions."""

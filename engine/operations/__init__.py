"""What operators look at, and what they do about it."""

"""Why something waits or is where it is, in words, and what a person can do about it."""

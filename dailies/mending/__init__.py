"""What a person settles by hand: unknown outcomes, a ledger that was lost."""

"""What the ledger tells of batches, items and money, for scripts and for people."""

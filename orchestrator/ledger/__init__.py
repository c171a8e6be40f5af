"""The ledger in Redis: its keys, its records, the scripts that alone write to it, and what is read from it."""

"""What is done: creates, looks, videos brought into the archive, unknown outcomes settled. Workers are all equal."""

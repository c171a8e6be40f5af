"""From an admitted item to a remote job that ended: creates, looks, what comes of them."""

"""After a ledger was lost or set back: what the archive and the providers' lists still tell."""

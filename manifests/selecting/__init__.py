"""Which rows count, and what is said about them on the command line."""

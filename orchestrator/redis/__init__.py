"""The connection to Redis, wherever its primary is, and what the server must keep."""

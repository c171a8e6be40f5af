"""Unknown outcomes of creates: evidence, adoption, and what becomes of jobs that nobody knows."""

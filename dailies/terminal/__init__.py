"""How commands talk: exit codes, questions, progress, times as people type them."""

"""Who may create now, and when to look at what was created: quotas, circuits, learned times."""

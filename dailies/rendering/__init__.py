"""Work in this process: `run`, `worker`, and what they show while they go on."""

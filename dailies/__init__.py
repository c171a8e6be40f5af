"""The front door: the command line, and the wiring of everything else."""

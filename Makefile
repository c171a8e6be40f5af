# make chaos: one run of faults after another, until it is interrupted or a promise is broken. Each prints its seed;
# make chaos ARGS="--seed N" repeats that one. --help has the rest.
.PHONY: chaos
chaos:
	.venv/bin/python -m tests.chaos $(ARGS)

"""What a person asks of a batch: to take it in, to hold it up, to change it, to try again."""

"""What a person changes of a batch: pause, cancel, set, retry, forget."""

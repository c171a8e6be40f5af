"""What is done with an archived batch: verified, watched."""

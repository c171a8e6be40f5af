"""Whether what was drafted can be ordered: kinds, pins, pictures, keys, and every problem told."""

"""The words of a manifest: names of fields, what they mean, how people spell names and amounts."""

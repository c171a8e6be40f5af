"""From manifests to queued batches: loaded, adjusted, surveyed, planned, submitted."""

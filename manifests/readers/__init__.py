"""Files in, rows with their places out: YAML, CSV, JSONL and .xlsx, each as a stream."""

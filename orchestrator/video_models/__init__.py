"""What is known of the video models: prices, retirement dates, usual render times."""

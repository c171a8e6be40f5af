"""Sora 1's API, `/openai/v1/video/generations/jobs`: orders in, jobs and films out."""

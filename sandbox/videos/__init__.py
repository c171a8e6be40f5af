"""Sora 2's API, `/openai/v1/videos`: orders in, jobs and films out."""

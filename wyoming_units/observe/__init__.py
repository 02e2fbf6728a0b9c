"""Timings and logging; imports nothing of ours."""

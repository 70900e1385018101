"""Applying fixes until nothing is left to do; nothing here writes a file."""

"""Rules: their pages, which of them run, and checks that need no Python."""

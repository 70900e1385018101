"""Rules about what nginx no longer knows, or does not know yet."""

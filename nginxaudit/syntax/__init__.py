"""Text to tree: tokens, statements, includes."""

"""Rule pages to rules, running them, and everything that decides which findings count."""

"""What is known about nginx, renewed from a checkout of its source: ``python -m tools.facts``."""

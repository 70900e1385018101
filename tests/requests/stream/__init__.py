"""Connections of stream: random configurations and connections, and what nginx does with them."""

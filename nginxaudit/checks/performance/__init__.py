"""Rules about settings that make nginx slower than it needs to be."""

"""Fuzzing: inputs nobody would write, and what must hold for every one of them. See CONTRIBUTING.md."""

"""Rules about what clients can reach, read or choose."""

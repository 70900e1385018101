"""Rules about headers sent to clients and to backends."""

"""What the rules say about real configurations: numbers to compare two states of the rules by."""

"""The command line: parses options, calls, prints."""

"""How a configuration is written: rules over the text of each file."""

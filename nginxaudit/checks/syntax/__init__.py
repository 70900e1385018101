"""What nginx would refuse while reading: told by the reader itself, or by the facts about directives."""

"""What nginx reads in the directives of one field each: its grammars, registered by the names of directives."""

"""How time grows with each kind of input: by processor time of whole commands, and by counted work."""

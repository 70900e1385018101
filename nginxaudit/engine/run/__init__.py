"""From paths to findings: reading the roots, running the rules over them, in one process or several."""

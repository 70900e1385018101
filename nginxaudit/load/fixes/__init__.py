"""How mistakes are fixed, where that takes more than a line: imported when a fix is asked for."""

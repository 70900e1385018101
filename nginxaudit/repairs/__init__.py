"""How findings are mended: edits of the text that keep comments, indentation and line ends.

A rule page says how in its ``[repair]`` table: with a text to put in or to take out (`declarative`), or
with a function of a module here. Nothing in this package writes a file.
"""

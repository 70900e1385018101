"""What nginx checks while it loads a configuration, said without nginx.

``walk`` reads the directives in order and asks the grammar of each: ``types`` for values that have
a type, and one module of ``fields`` per field for its grammars. ``base`` says what a grammar is
given; what can be judged only in the end is registered there, too.
"""

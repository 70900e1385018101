"""Which text is to be read: paths, dumps, stdin; and what must not be read."""

"""Python behind the rules that need it: a package per category of ``rules/``, a module per topic."""

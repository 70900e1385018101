"""Python behind the rules that need it: one module per category."""

"""The documentation site: what is generated from the rules and the repository, and the hook that mkdocs calls."""

"""Rules about resources that run out, and about what stops nginx from starting."""

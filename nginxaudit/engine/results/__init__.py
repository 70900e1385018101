"""What becomes of hits: findings with fingerprints, suppressions, baselines, limits, and the report as data."""

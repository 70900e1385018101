"""Speed and memory beside other tools: ``python -m tests.benchmarks`` (see README.md here)."""

"""Whether the walk says what nginx does: random configurations and requests, judged by a running nginx."""

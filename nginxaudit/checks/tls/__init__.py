"""Rules about TLS of servers and of upstreams."""

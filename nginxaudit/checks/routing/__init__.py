"""Rules about which server and location takes a request, and where it goes."""

"""Rules about access and error logs."""

"""Upstream groups: does the load balancing do what its author means, also when an instance is lost?"""

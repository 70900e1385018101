"""Simulates what nginx does when servers of a group die, hang, fail or are restarted.

`reading.subjects` finds what can be drilled, `drill.drill` runs the scenarios, `replay.replay` follows an explicit
list of requests. Nothing here looks at a clock; what is left to chance comes from a seed.
"""

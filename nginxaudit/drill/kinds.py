"""The kinds of scenarios, known without what runs them."""

from __future__ import annotations

KINDS = ("refuse", "hang", "blackhole", "5xx", "slow", "flap", "rolling", "start")

"""What a regular expression of nginx (PCRE2, byte by byte) says, without ever running it.

nginx compiles the expressions of ``location``, ``server_name``, ``rewrite``, ``if`` and ``map`` without
UTF-8 mode. `parse` reads one; the answer is None for what this package does not understand, and a caller
stays silent then. Python has parsers for its own dialect only, and private ones at that; PCRE2 itself
tells whether an expression is valid, not what it means.
"""

from nginxaudit.pcre.expression import MAX_LENGTH, Expression, parse

__all__ = ["MAX_LENGTH", "Expression", "parse"]

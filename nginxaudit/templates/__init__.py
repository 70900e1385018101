"""Texts that something else fills in before nginx reads them: what they say all the same.

`read_template` turns a text into what nginx would be given, in the same places, and knows what is filled in, what
is there only on a condition and what is repeated. It is the one place that knows how template engines mark this.
"""

from nginxaudit.templates.branches import Branch
from nginxaudit.templates.marks import SUFFIXES, Mark
from nginxaudit.templates.statements import Role
from nginxaudit.templates.template import FILLER, Template, read_template

__all__ = ["FILLER", "SUFFIXES", "Branch", "Mark", "Role", "Template", "read_template"]

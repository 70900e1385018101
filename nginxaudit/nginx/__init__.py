"""What NGINX knows: directives, parameters, variables, advisories, value grammars. Knows no other room."""

from nginxaudit.nginx.addresses import Address, is_inet6, parse_address, parse_inet4
from nginxaudit.nginx.advisories import Advisories, Advisory, shipped
from nginxaudit.nginx.availability import Availability
from nginxaudit.nginx.contexts import PSEUDO_CONTEXTS, context_family, contexts, inner_context
from nginxaudit.nginx.directives import (
    ArgCount,
    DirectiveFact,
    directives,
    facts_for,
    facts_of,
    is_block,
    known_names,
    module_facts,
)
from nginxaudit.nginx.parameters import BalancerFact, ParameterFact, balancer, parameters, parameters_of
from nginxaudit.nginx.values import (
    parse_flag,
    parse_number,
    parse_offset,
    parse_size,
    parse_time_ms,
    parse_time_s,
)
from nginxaudit.nginx.variables import VariableFact, variable, variable_of, variables
from nginxaudit.nginx.version import (
    EDITION_NAMES,
    FORKS,
    NEWEST,
    OLDEST,
    Asked,
    Nginx,
    Stretch,
    Target,
    Version,
    after,
    common,
    format_version,
    merged,
    parse_version,
)

__all__ = [
    "EDITION_NAMES", "FORKS", "NEWEST", "OLDEST", "PSEUDO_CONTEXTS", "Address", "Advisories", "Advisory", "ArgCount", "Asked", "Availability", "BalancerFact",
    "DirectiveFact", "Nginx", "ParameterFact", "Stretch", "Target", "VariableFact", "Version", "after", "balancer",
    "common", "context_family", "contexts", "directives", "facts_for", "facts_of", "format_version", "inner_context", "is_block",
    "is_inet6", "known_names", "merged", "module_facts", "parameters", "parameters_of", "parse_address", "parse_flag", "parse_inet4", "parse_number", "parse_offset",
    "parse_size", "parse_time_ms", "parse_time_s", "parse_version", "shipped", "variable", "variable_of", "variables",
]  # fmt: skip

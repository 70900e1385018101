"""Configurations that could be, out of nginxaudit's own facts: directives where they fit and where not."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from hypothesis import strategies as st

from nginxaudit.engine.rules.catalogue import builtin
from nginxaudit.nginx import PSEUDO_CONTEXTS, DirectiveFact, directives, inner_context, known_names, variables
from tests.fuzz.corpus import patterns
from tests.parity.words import METHODS, PATTERN, PEER, TYPICAL, VALUES

_DEEPEST = 4
Draw = Callable[[st.SearchStrategy[str]], str]

_BLOCKS = {
    "main": ("events", "http", "http", "http", "stream", "mail"),
    "http": ("server", "server", "server", "upstream", "upstream", "map $host $m", "geo $g", "types", "split_clients $uri $s",
             "match ok", "server", "limit_except GET", "if ($host)"),
    "server": ("location /", "location = /a", "location ~ REGEX", "location ^~ /s/", "location @named", "if (CONDITION)", "types",
               "location ~* REGEX", "server"),
    "location": ("location /a/b", "location ~ REGEX", "if (CONDITION)", "limit_except GET POST", "types", "location"),
    "stream": ("server", "upstream u", "map $a $b", "geo $x", "match m"),
    "mail": ("server",),
}  # fmt: skip
_DATA = {
    "map-block": ("default a;", "~REGEX b;", "*.example.com c;", "hostnames;", "volatile;", "include x;", "default;", '"" $host;'),
    "geo-block": ("default 0;", "10.0.0.0/8 1;", "proxy 127.0.0.1;", "ranges;", "1.1.1.1-1.1.1.9 x;", "delete 10.0.0.0/8;"),
    "types-block": ("text/html html htm;", "a/b;", "text/plain txt html;"),
    "split_clients-block": ("50% a;", "* b;", "60.123% c;", "0.5 d;"),
    "upstream": ("server 127.0.0.1:8080 PEER;", "server a.example.com PEER PEER;", "server unix:/tmp/s;", "METHOD", "METHOD", "server;"),
    "match-block": ("status 200;", "header Content-Type = text/html;", "body ~ REGEX;"),
}  # fmt: skip
_DATA["stream-upstream"] = _DATA["upstream"]
_LINES = {
    "main": ("worker_processes auto;", "load_module modules/x.so;", "user nginx;", "include /etc/nginx/conf.d/*.conf;", "env A=b;"),
    "http": ("log_format main '$remote_addr \"$request\"';", "access_log /var/log/a main;", "proxy_cache_path /c keys_zone=z:1m;",
             "limit_req_zone $binary_remote_addr zone=l:1m rate=1r/s;", "include mime.types;", "init_by_lua_block { local a = '}' }"),
    "server": ("listen 80;", "listen 443 ssl default_server;", "listen [::]:80;", "server_name a.example.com *.b.example ~REGEX;",
               "return 301 https://$host$request_uri;", "rewrite REGEX /b/$1 last;", "ssl_certificate c.pem;", "root /var/www;",
               "error_page 404 = @named;", "listen 127.0.0.1:8080 backlog=5 PEER;", "if ($a) { return 403; }"),
    "location": ("proxy_pass http://u;", "proxy_pass http://u/;", "proxy_pass http://$host$request_uri;", "alias /srv/;",
                 "fastcgi_pass unix:/s;", "try_files $uri $uri/ /i.php?$args;", "add_header X-A \"a b\" always;", "rewrite REGEX $1;",
                 "access_by_lua_block { --[[ } ]] return }", "content_by_lua_block { ngx.say([==[ } ]==])", "limit_req zone=l burst=5;",
                 "proxy_set_header Host $host;", "set $a $arg_b;", "return 200 'x';", "proxy_next_upstream error timeout http_500;"),
}  # fmt: skip
_CONDITIONS = (
    "$a",
    "$host = b",
    "$request_method !~ REGEX",
    "-f $request_filename",
    "!-e $uri",
    "$a ~* REGEX",
    "",
    "$a = ",
    "a",
    "$x ~",
)
_TORN = ("{{ name }}", "{% if x %}", "<%= y %>", "${X}", "{{", "a{2,3}", "@@Y@@", "}", "{", ";", '"', "'", "#", "\\", "$", "\ufeff", "é",
         "\udcff", "\r\n", "\u2028", "日", "a" * 300, "\x85", "\x0c", "__Z__")  # fmt: skip
_ENDS = (";",) * 18 + ("", "\n", " ;", ";;", "{", "}", "; # why", ");")
_GAPS = ("\n",) * 14 + (" ", "\n\n", "\r\n", "\n\t", "\n    ", "")
_WORDS = (
    "ignore",
    "ignore",
    "ignore",
    "ignore-file",
    "context=http,server",
    "context=x",
    "topology=active-passive",
    "ignor",
    "",
    "context",
)
_NAMES = ("ALL", "security", "nope", "", " ", "server-tokens", "NGX1001", "ngx", "]", "[", "style,", ",")


@cache
def _facts(context: str) -> list[DirectiveFact]:
    found = [
        fact for name in sorted(known_names()) for fact in directives(name) if context in fact.contexts and not fact.pseudo
    ]  # fmt: skip
    return found or _facts("main")


@cache
def _every() -> list[str]:
    return sorted(known_names())


@cache
def _variables() -> list[str]:
    return [f"${name}" for family in ("http", "stream") for name in sorted(variables(family))]


def expressions() -> st.SearchStrategy[str]:
    """Regular expressions: those of configurations, and parts put together well and badly."""
    part = st.sampled_from(
        [*PATTERN, "a", "b", "/", ".*", ".+", "[^/]+", "\\.php", "(a|b)", "(.*)", "(?:x|y)*", "\\w+", "{1,5}", "\\Q", "\\E", "[[:alpha:]]",
         "(?=a)", "(?!b)", "(?<=c)", "(?R)", "(?1)", "\\k<a>", "\\g{1}", "(*UTF8)", "(?|a|b)", "\\x{41}", "\\N", "\\R", "é", "\\p{L}", "{,3}",
         "(a+)+", "\\b", "[a-z0-9-]", "[]a]", "[^]]", "(?x)", "(?i:", "-", ",", "#", "\\h", "\\K", "(?(1)a|b)", "\\c", "\\o{12}", "{65536}"]
    )  # fmt: skip
    return st.sampled_from(patterns()) | st.lists(part, max_size=9).map("".join)


_REGEX = st.deferred(expressions)
_VALUE = st.sampled_from(VALUES)
_VARIABLE = st.deferred(lambda: st.sampled_from(_variables()))


def values(fact: DirectiveFact) -> st.SearchStrategy[str]:
    """An argument of the type that ``fact`` asks for, sometimes another one."""
    right = [*(fact.values or ()), *TYPICAL.get(fact.type, ())]
    choices = [st.sampled_from(right)] * 5 if right else [_VALUE]
    return st.one_of(*choices, _VALUE, _VARIABLE, st.sampled_from(_TORN))


_SPELLINGS = st.sampled_from(("{}",) * 12 + ('"{}"', "'{}'", '"{}', "{}'", '"{}"x', "\\{}"))
_TIDY = st.sampled_from(("{}",) * 6 + ('"{}"',))
_SMALL = st.integers(0, 3)


def _filled(draw: Draw, line: str) -> str:
    """``line`` with its words in capitals replaced."""
    for word, strategy in (
        ("CONDITION", st.sampled_from(_CONDITIONS)), ("REGEX", _REGEX), ("METHOD", st.sampled_from(METHODS)), ("PEER", st.sampled_from(PEER)),
    ):  # fmt: skip
        while word in line:
            line = line.replace(word, draw(strategy), 1)
    return line


@st.composite
def suppressions(draw: Draw) -> str:
    """Comments to nginxaudit, right and wrong."""
    known = st.sampled_from(builtin().names)
    names = ", ".join(
        draw(st.one_of(known, known, st.sampled_from(_NAMES))) for _ in range(draw(st.integers(0, 3)))
    )
    mark = draw(
        st.sampled_from(
            ("nginxaudit: ",) * 5 + ("nginxaudit:", " nginxaudit:\t", "NginxAudit: ", "nginxaudit ")
        )
    )
    form = draw(
        st.sampled_from(
            ("{}[{}] reason",) * 5 + ("{}[{}]", "{} {}", "{}[{}", "{}]{}[", "{}: [{}] : why", "{}[{}] # two")
        )
    )
    return f"# {mark}{form.format(draw(st.sampled_from(_WORDS)), names)}\n"


_COMMENTS = (
    st.sampled_from(("# a comment\n", "#\n", "# listen 80;\n", "# }\n", '# "\n', "# TODO\r\n", "# last"))
    | suppressions()
)


class _Writer:
    """Writes statements. A ``tidy`` one makes no mistakes of syntax: most checks look at what can be read."""

    def __init__(self, draw: Draw, tidy: bool) -> None:
        self._draw = draw
        self._end = st.just(";") if tidy else st.sampled_from(_ENDS)
        self._close = st.just("}") if tidy else st.sampled_from(("}",) * 20 + ("", "}}", "};"))
        self._spelling = _TIDY if tidy else _SPELLINGS
        self._leaves = _LEAVES if tidy else (*_LEAVES, "torn", "stray")
        self._gap = st.sampled_from(_GAPS[:16] if tidy else _GAPS)

    def statements(self, context: str, depth: int) -> str:
        """Some statements of ``context``, blocks included."""
        flat = depth >= _DEEPEST or context in PSEUDO_CONTEXTS
        kinds = self._leaves if flat else self._leaves + ("block",) * 6
        parts = []
        for _ in range(self._draw(st.integers(0, 6))):
            kind = self._draw(st.sampled_from(kinds))
            parts.append(self._block(context, depth) if kind == "block" else self._leaf(kind, context))
            parts.append(self._draw(self._gap))
        return "".join(parts)

    def _leaf(self, kind: str, context: str) -> str:
        draw = self._draw
        if kind == "directive":
            return self._directive(context)
        if kind == "stray":
            words = [draw(st.sampled_from(_every())), *(draw(_VALUE) for _ in range(draw(_SMALL)))]
            return " ".join(words) + draw(self._end)
        if kind == "usual":
            lines = _DATA.get(context) or _LINES.get(context) or _LINES["location"]
            return _filled(draw, draw(st.sampled_from(lines)))
        return draw(_COMMENTS) if kind == "comment" else draw(st.sampled_from(_TORN))

    def _directive(self, context: str) -> str:
        draw = self._draw
        fact = draw(st.sampled_from(_facts(context)))
        few = fact.args.minimum
        count = draw(st.sampled_from((few, few, few, fact.args.maximum or few + 1, few + 1, max(few - 1, 0))))
        words = [draw(self._spelling).format(draw(values(fact))) for _ in range(min(count, 4))]
        return " ".join([fact.name, *words]) + draw(self._end)

    def _block(self, context: str, depth: int) -> str:
        draw = self._draw
        head = _filled(draw, draw(st.sampled_from(_BLOCKS.get(context) or _BLOCKS["location"])))
        inner = inner_context(context, head.split()[0])
        return f"{head} {{\n{self.statements(inner, depth + 1)}{draw(self._close)}"


_COMMENTS = (
    st.sampled_from(("# a comment\n", "#\n", "# listen 80;\n", "# }\n", '# "\n', "# TODO\r\n"))
    | suppressions()
)
_LEAVES = ("usual",) * 6 + ("directive",) * 6 + ("comment",) * 2 + ("stray",)


@st.composite
def configurations(draw: Draw) -> bytes:
    """A whole configuration, or a fragment of one."""
    context = draw(st.sampled_from(tuple(_FRAMES) + ("http",) * 3 + ("location",)))
    text = _Writer(draw, draw(st.booleans())).statements(context, 0)
    if draw(st.integers(0, 9)):
        text = _FRAMES.get(context, _FRAMES["server"]).format(text)
    return text.encode("utf-8", "surrogateescape")


_FRAMES = {
    "main": "{}",
    "http": "events {{}}\nhttp {{\n{}}}\n",
    "server": "events {{}}\nhttp {{ server {{\n{}}} }}\n",
    "upstream": "events {{}}\nhttp {{ upstream u {{\n{}}} server {{ listen 80; location / {{ proxy_pass http://u; }} }} }}\n",
    "stream": "events {{}}\nstream {{\n{}}}\n",
}

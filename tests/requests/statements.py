"""Random statements of servers and locations: headers, access rules, rewrites, conditions, what answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tests.requests.pools import CODES, REDIRECTS, REWRITES, SETTINGS, TEXTS


@dataclass
class Backends:
    """Ports of the echo servers, by the status that they answer with."""

    by_status: dict[int, int] = field(default_factory=dict)
    fastcgi: int = 0


class Statements:
    """Writes what stands in blocks."""

    def __init__(self, random: Random, number: int, root: str, backends: Backends) -> None:
        self.random = random
        self.number = number
        self.root = root
        self.backends = backends
        self.variables: list[str] = []

    def _common(self, often: float) -> list[str]:
        random, found = self.random, []
        if random.random() < often:
            found += [
                f"add_header X-{name} {self._text()}{random.choice(('', ' always'))};"
                for name in random.sample("ABC", 2)
            ]
        if random.random() < often:
            found.append(f"proxy_set_header X-P{random.randrange(3)} {self._text()};")
            if random.random() < 0.5:
                host = random.choice(("$host", "$http_host", "fixed", "$proxy_host", '""', "$arg_x"))
                found.append(f"proxy_set_header Host {host};")
        if random.random() < often:
            found += self._error_pages()
        for name, values, part in SETTINGS:
            if random.random() < often / part:
                found.append(f"{name} {random.choice(values)};")
        if random.random() < often / 3:
            found.append("types { text/x-html html; text/x-text TXT text; }")
        return found

    def _error_pages(self) -> list[str]:
        random, found = self.random, []
        for _ in range(random.choice((1, 1, 2))):
            codes = " ".join(map(str, random.sample(CODES, random.choice((1, 2)))))
            extra = random.choice(("", "", "", " =", " =200", " =404", " =302"))
            target = random.choice(
                (
                    "/404.html", "/50x.html", "/maintenance.html", "@one", "@two", "http://errors.example/e", "/api/error?c=1",
                    "/missing.html", "/dir/", "/a$uri", "@none",
                )
            )  # fmt: skip
            found.append(f"error_page {codes}{extra} {target};")
        if random.random() < 0.3:
            found.append("recursive_error_pages on;")
        if random.random() < 0.5:
            found.append("proxy_intercept_errors on;")
        return found

    def _access(self) -> list[str]:
        random, found = self.random, []
        if random.random() < 0.15:
            rules = (
                "allow 127.0.0.1;",
                "deny 127.0.0.1;",
                "allow 10.0.0.0/8;",
                "deny all;",
                "allow all;",
                "deny 192.0.2.1;",
            )
            found += random.sample(rules, random.choice((1, 2, 3)))
        if random.random() < 0.08:
            found.append(f"auth_basic {random.choice(('closed', 'off', '$arg_x'))};")
        if random.random() < 0.08:
            found.append(f"auth_request {random.choice(('/auth', '/auth', 'off', '/a/b.txt', '/missing'))};")
        if random.random() < 0.1:
            found.append(f"satisfy {random.choice(('any', 'all'))};")
        return found

    def _text(self) -> str:
        pool = self.variables if self.variables and self.random.random() < 0.25 else TEXTS
        return f'"{self.random.choice(pool)}"'

    def _rewrites(self, *, in_server: bool) -> list[str]:
        random, found = self.random, []
        count = random.choice((0, 0, 0, 0, 1)) if in_server else random.choice((0, 0, 1, 1, 2))
        for _ in range(count):
            kind = random.choice((self._rewrite, self._rewrite, self._set, self._condition, self._condition))
            found += self._condition(in_server=in_server) if kind == self._condition else kind()
        return found

    def _rewrite(self) -> list[str]:
        random = self.random
        if random.random() < 0.25:
            pattern, to = random.choice(REDIRECTS)
            flag = (
                random.choice((" redirect", " permanent"))
                if to.startswith("/")
                else random.choice(("", " permanent"))
            )
        else:
            pattern, to = random.choice(REWRITES)
            flag = random.choice(("", "", " last", " last", " break", " break"))
        return [f'rewrite "{pattern}" "{to}"{flag};']

    def _set(self) -> list[str]:
        name = f"v{self.number}_{self.random.randrange(2)}"
        line = f"set ${name} {self._text()};"
        self.variables.append(f"${name}")
        if self.random.random() < 0.1:
            line += f" set $args {self._text()};"
        return [line]

    def _condition(self, *, in_server: bool = False) -> list[str]:
        random = self.random
        variable = random.choice(
            ("$uri", "$args", "$arg_x", "$request_method", "$host", "$http_x_test", *self.variables)
        )
        condition = random.choice(
            (
                variable, f"{variable} = {random.choice(('GET', 'a', '1', '/a/'))}", f"{variable} != POST", f'{variable} ~ "^/(a|dir)(.*)"',
                f"{variable} ~* A", f"{variable} !~ b", '$uri ~ "^/([^/]+)/"', f"-f {self.root}$uri", f"!-e {self.root}$uri",
                "-d $request_filename", "!-f $document_root/a.txt", "-f $request_filename", '$request_uri ~ "//"',
            )
        )  # fmt: skip
        bodies = [self._return, self._rewrite, self._set, self._set, self._break]
        if not in_server:
            bodies += [self._settings_in_if, self._settings_in_if]
        return [f"if ({condition}) {{", *random.choice(bodies)(), "}"]

    def _break(self) -> list[str]:
        return ["break;"]

    def _settings_in_if(self) -> list[str]:
        """What only an ``if`` of a location may have: it counts while the block of the ``if`` does."""
        random = self.random
        status = random.choice((200, 200, 404, 503))
        return random.choice(
            (
                [f"proxy_pass http://127.0.0.1:{self.backends.by_status[status]};"],
                [f"root {self.root}/a;"],
                [f"add_header X-I {self._text()};"],
                ["error_page 404 = /a.txt;"],
                ["expires 2h;"],
                [f"fastcgi_pass 127.0.0.1:{self.backends.fastcgi};"],
            )
        )

    def _return(self) -> list[str]:
        random = self.random
        return [
            random.choice(
                (
                    "return 403;", "return 404;", "return 503;", "return 444;", f"return 200 {self._text()};", "return 204;",
                    f"return 404 {self._text()};", "return 301 /moved$uri;", "return 302 http://x.example$request_uri;",
                    "return https://$host$uri;", "return 307 /é?$args;", f"return 301 {self._text()};", "return 200;", "return 410;",
                    "return 500;",
                )
            )
        ]  # fmt: skip

    def _content(self, head: str) -> list[str]:
        choices = [
            self._return,
            self._pass,
            self._pass,
            self._try,
            self._nothing,
            self._nothing,
            self._other_root,
            self._fastcgi,
        ]
        if not head.startswith("@"):
            choices.append(lambda: self._alias(head))
        chosen = self.random.choice(choices)
        return chosen(head) if chosen == self._pass else chosen()  # type: ignore[arg-type, call-arg]

    def _fastcgi(self) -> list[str]:
        random = self.random
        lines = [
            f"fastcgi_pass 127.0.0.1:{self.backends.fastcgi};",
            "fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;",
            f"fastcgi_param Q {self._text()}{random.choice(('', ' if_not_empty'))};",
        ]
        if random.random() < 0.3:
            lines.append("fastcgi_index index.php;")
        if random.random() < 0.3:
            lines += [
                r"fastcgi_split_path_info ^(.+\.php)(/.*)$;",
                "fastcgi_param PATH_INFO $fastcgi_path_info;",
            ]
        return lines

    def _nothing(self) -> list[str]:
        return []

    def _other_root(self) -> list[str]:
        return [f"root {self.root}{self.random.choice(('/a', '/dir/', '', '/$host', '/missing'))};"]

    def _alias(self, head: str) -> list[str]:
        random = self.random
        if head.startswith("~"):
            found = [
                f"alias {self.root}/{random.choice(('$1', 'dir/$1', 'a.txt', '$uri', 'a$uri', '$seg'))};"
            ]
        else:
            found = [f"alias {self.root}/{random.choice(('a/', 'dir/', 'img', '', 'private/', 'a.txt'))};"]
        return found + (self._try() if random.random() < 0.2 else [])

    def _try(self) -> list[str]:
        random = self.random
        pool = (
            "$uri",
            "$uri/",
            "$uri.html",
            "/a.txt",
            "/dir/",
            "$uri/index.html",
            "/a$uri",
            "/empty/",
            "b.txt",
        )
        last = (
            "=404",
            "=403",
            "@one",
            "@two",
            "/index.html",
            "/x.php?q=$uri&$args",
            "/api/$uri",
            "=503",
            "/a/",
            "$uri/index.html",
        )
        return [f"try_files {' '.join(random.sample(pool, random.choice((1, 1, 2))))} {random.choice(last)};"]

    def _pass(self, head: str) -> list[str]:
        random = self.random
        status = random.choice((200, 200, 200, 404, 503))
        base = f"http://127.0.0.1:{self.backends.by_status[status]}"
        if random.random() < 0.2:
            base = f"http://u{self.number}"
        variables = ("$uri", "$request_uri", "/v$uri$is_args$args", "/w?u=$uri", "/$1", "$arg_x")
        if random.random() < 0.2:
            return [f"proxy_pass {base}{random.choice(variables)};"]
        with_uri = not head.startswith(("~", "@")) and random.random() < 0.5
        uri = random.choice(("/", "/b", "/b/", "/é/", "/q?z=1", "/a%20b/")) if with_uri else ""
        lines = [f"proxy_pass {base}{uri};"]
        if random.random() < 0.1:
            lines.append("proxy_method PUT;")
        if random.random() < 0.1:
            lines.append("proxy_pass_request_headers off;")
        return lines

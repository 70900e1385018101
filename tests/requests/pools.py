"""What random configurations are made of."""

FILES = (
    "index.html", "a.txt", "a/index.html", "a/b.txt", "a/c/index.php", "dir/index.html", "dir/x.php", "dir/sub/deep.txt",
    "img/logo.png", "img/A.PNG", "private/secret.txt", "private/run.php", "404.html", "50x.html", "api/index.html",
    "sp ace/x y.txt", "maintenance.html", "é/ü.txt", "x.php", "a.txt.html",
)  # fmt: skip
FOLDERS = ("empty", "a/hollow")

PREFIXES = (
    "/", "/a", "/a/", "/a/c/", "/dir", "/dir/", "/dir/sub/", "/img/", "/api", "/api/", "/api/v1/", "/private/", "/A/", "/é/",
    "/empty/", "/sp ace/", "/old", "/x.php", "/internal/",
)  # fmt: skip
EXACT = ("/", "/a", "/a/", "/dir/", "/api", "/a.txt", "/404.html", "/index.html", "/auth")
REGEXES = (
    r"~ \.php$", r"~ \.(?<ext>php|html)$", r"~* \.(txt|html|png)$", r"~ ^/a/(.*)$", r"~ ^/(?<seg>[a-z]+)/(.*)$", r"~* ^/API",
    r"~ /$", r"~ ^/(dir|img)/", r"~* /a", r"~ ^/private/.*\.php", r"~ [^a-z/.]", r"~ ^/([^/]*)/([^/]*)", r"~ b", r"~* \.PHP",
)  # fmt: skip
TEXTS = (
    "$uri", "$request_uri", "$args", "$is_args$args", "$host", "$http_host", "$scheme", "$request_method", "$arg_x", "$arg_Y",
    "$cookie_c", "$http_x_test", "$remote_addr", "$server_port", "$proxy_protocol_addr", "$sent_http_content_type", "$realip_remote_addr", "$1", "$2", "/$1", "$1-$2", "$seg", "$ext", "plain", "",
    "$document_root", "$request_filename", "$query_string", "$server_name", "$content_length", "$remote_user", "$http_user_agent",
    "$proxy_add_x_forwarded_for", "$proxy_host", "$uri/$args", "a b", "${uri}x", "$https", "$server_protocol", "$content_type", "$invalid_referer", "$fastcgi_script_name", "$http_cookie", "$document_uri", "$request",
)  # fmt: skip
REWRITES = (
    (r"^/a/(.*)$", "/dir/$1"), (r"^/a/(.*)$", "/img/$1?from=a"), (r"^/(.*)\.html$", "/$1.txt"), (r"^/old(.*)$", "/new$1"),
    (r"^(/.*)$", "/api$1?"), (r"^/dir/(.+)$", "/dir/?p=$1"), (r"/sub/", "/a/"), (r"^/x", "/a.txt"), (r"\.php$", "/x.php?q=$uri"),
    (r"^/api/(.*)$", "/private/$1"), (r"^/(?<seg>\w+)/(.*)$", "/$2/$seg"), (r".", "/index.html"), (r"^/img/(.*)", "$1"),
    (r"^/é/(.*)$", "/a/$1"), (r"^/sp ace/(.*)$", "/private/$1?s=$1"), (r"^/(.*)$", "/$arg_x/$1"), (r"^/a", "/a/a"),
    (r"^(.*)/$", "$1"), (r"^/([^/]+)$", "/$1/"), (r"^/.*$", "/dir/x.php?a=1&b=$args"),
)  # fmt: skip
REDIRECTS = (
    (r"^/a/(.*)$", "http://other.example/$1"), (r"^/(.*)$", "https://$host/$1"), (r"^/dir/(.*)$", "$scheme://x.example/$1?k=$1"),
    (r"^/old(.*)$", "/new$1"), (r"^/(.*)$", "/r/$1?"), (r"^/é/(.*)$", "/ä/$1"), (r"(.*)", "/to$1?u=$uri"),
)  # fmt: skip
CODES = (403, 404, 405, 500, 502, 503, 403, 404, 400, 401, 413, 418, 301, 497)
MAP_LINES = (
    ("a", "one"), ('"~^/a/(.*)$"', "$1"), ("~*php", "php"), ("/dir/", "$arg_x"), ('""', "none"), ("1", "0"), ("GET", "get"),
    ('"~(?<ext>txt)"', "$ext"), ("*.example", "wild"), ("x=1", "/x.php"), ("~/$", "slash"), ("POST", "post"),
)  # fmt: skip
SETTINGS = (
    ("expires", ("1h", "off", "max", "epoch", "-1", "10", "$arg_x", "0"), 2),
    ("index", ("index.php index.html", "b.txt", "/a.txt", "none /index.html", "deep.txt sub"), 2),
    ("autoindex", ("on", "off"), 2),
    ("client_max_body_size", ("5", "10", "0"), 3),
    ("charset", ("utf-8", "koi8-r", "off"), 3),
    ("charset_types", ("text/x-a image/png",), 6),
    (
        "valid_referers",
        (
            "none ok.example *.ok.example",
            "ok.example",
            "blocked .ok.example",
            "none blocked server_names ok.example",
        ),
        3,
    ),
    ("default_type", ("text/x-a", "application/x-b"), 3),
)
"""Directives of a block with values, and how much rarer than others they are."""

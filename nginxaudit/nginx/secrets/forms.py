"""Secrets that are known by their form, whatever their name is.

No guessing by entropy. Prefixes of tokens are the ones their issuers publish for secret scanners (docs.github.com "Supported
secret scanning patterns", docs.gitlab.com "Token prefixes", AWS IAM "Unique identifiers", Slack "Token types", Stripe "API keys",
and so on); ``Basic`` and ``Bearer`` are RFC 7617 and RFC 6750; JWT is RFC 7519; hashes are those of crypt(3) and of
``auth_basic_user_file``. Lengths are as short as they can be without finding words of a language.

A large text is searched for short words first, which is ten times as fast as a regular expression, and a regular expression
is tried where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nginxaudit.nginx.patterns import compiled
from nginxaudit.nginx.secrets.values import written_out

Spans = Iterator[tuple[int, int]]

_TOKENS = {
    "akia": r"AKIA[0-9A-Z]{16}\b",
    "asia": r"ASIA[0-9A-Z]{16}\b",
    "abia": r"ABIA[0-9A-Z]{16}\b",
    "acca": r"ACCA[0-9A-Z]{16}\b",
    "gh": r"gh[pousr]_[A-Za-z0-9]{16,}",
    "github_pat_": r"github_pat_[A-Za-z0-9_]{16,}",
    "gl": r"gl(?:(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt|oas|rtr)-[A-Za-z0-9_.-]{16,}|(?:sa|c)_[A-Za-z0-9_=]{16,})",
    "xox": r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}",
    "xapp-": r"xapp-[0-9]-[A-Za-z0-9-]{10,}",
    "k_live_": r"(?<=[sr])k_live_[A-Za-z0-9]{10,}",
    "k_test_": r"(?<=[sr])k_test_[A-Za-z0-9]{10,}",
    "whsec_": r"whsec_[A-Za-z0-9+/=]{16,}",
    "sk-": r"sk-(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{16,}",
    "aiza": r"AIza[0-9A-Za-z_-]{30,}",
    "ya29.": r"ya29\.[A-Za-z0-9_-]{16,}",
    "gocspx-": r"GOCSPX-[A-Za-z0-9_-]{16,}",
    "npm_": r"npm_[A-Za-z0-9]{16,}",
    "pypi-": r"pypi-[A-Za-z0-9_-]{16,}",
    "rubygems_": r"rubygems_[a-f0-9]{16,}",
    "dckr_": r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{16,}",
    "s.": r"s\.(?=[A-Za-z]*[0-9])(?=[a-z0-9]*[A-Z])[A-Za-z0-9]{24}\b",  # Vault, before hvs.
    "hv": r"hv[sbr]\.[A-Za-z0-9_-]{16,}",
    "_v1_": r"(?<=do[por])_v1_[a-f0-9]{16,}",
    "sg.": r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "key-": r"key-[0-9a-f]{32}\b",
    "shp": r"shp(?:at|ss|ca|pa)_[A-Fa-f0-9]{16,}",
    "sq0": r"sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{16,}",
    "lin_api_": r"lin_api_[A-Za-z0-9]{16,}",
    "pmak-": r"PMAK-[A-Za-z0-9-]{16,}",
    "nrak-": r"NRAK-[A-Z0-9]{16,}",
    "sntry": r"sntry[su]_[A-Za-z0-9_+/=-]{16,}",
    "atatt3": r"ATATT3[A-Za-z0-9_=-]{16,}",
    "hf_": r"hf_[A-Za-z0-9]{20,}",
    "figd_": r"figd_[A-Za-z0-9_-]{16,}",
    "pscale_": r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{16,}",
    "tskey-": r"tskey-[a-z]+-[A-Za-z0-9-]{10,}",
    "dp.": r"dp\.(?:pt|st|ct|scim|audit)\.[A-Za-z0-9_.]{16,}",
    "gsk_": r"gsk_[A-Za-z0-9]{20,}",
    "xai-": r"xai-[A-Za-z0-9]{20,}",
    "r8_": r"r8_[A-Za-z0-9]{20,}",
    "ops_": r"ops_[A-Za-z0-9+/=_-]{40,}",
    "eyj": r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
    ":aa": r"(?<=[0-9]{8}):AA[A-Za-z0-9_-]{30,}",  # Telegram: behind the number of the bot
}
"""What a token begins with, or holds, in lower case, and its form from there on."""
_OF_SCHEME = (
    r"[A-Za-z]+[ \t]+(?!realm=|error=|charset=|[A-Z]+\b)"
    r"((?=[A-Z]?+[a-z_-]*[A-Z0-9=+/])[A-Za-z0-9+/=._~-]{8,}|[A-Za-z0-9+/=]{24,})"
)
_SCHEMES = ("basic ", "basic\t", "bearer ", "bearer\t", "token ", "token\t", "apikey ", "negotiate ")
# A password may have a slash in it by mistake; what is a port is followed by a path.
_WITH_SCHEME = r"://(?:[^\s/:@?#\"'\[\](){},;]*:((?!\d*[/?#]|\$\w+[/?#])[^{}<>()]+)|([A-Za-z0-9_-]{20,}))\Z"
_WITHOUT_SCHEME = r"(?:\A|[(=])(?!mailto:|sips?:|xmpp:|acct:)[\w.+-]{1,64}:([^/?#{}<>()]+)\Z"
_CURL = r"""(?<!\S)(?:-u|--user|--proxy-user|-U)(?:[ \t]+|=)?["']?[^\s:"']{1,64}:([^\s"';]+)"""
_HOOKS = (
    r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/([^?]+)",
    r"/services/(T[A-Z0-9]{5,}/B[A-Z0-9]{5,}/[A-Za-z0-9]{10,})",
    r"discord(?:app)?\.com/api/(?:v\d+/)?webhooks/([^?]+)",
    r"/api/webhooks/(\d{10,}/[^?/]+)",
    r"api\.telegram\.org/(?:file/)?bot([^?/]+)",
    r"/bot(\d{6,}:[\w-]{20,})",
    r"(?:outlook\.office(?:365)?\.com/webhook|webhook\.office\.com/webhookb2)/([^?]+)",
    r"hooks\.zapier\.com/hooks/(?:catch|standard)/([^?]+)",
    r"/IncomingWebhook/([^?]+)",
    r"maker\.ifttt\.com/trigger/[^?/]*/(?:json/)?with/key/([^?/]+)",
    r"open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/(?:v\d+/)?hook/([^?/]+)",
    r"webhook\.site/([^?]+)",
    r"/(?:webhooks?|hooks?)/(?:[a-z]+/)?((?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{16,})",
)
_OF_HOOKS = ("hook", "/services/t", "/bot", "with/key/")
_HASHES = (
    r"\{(?:PLAIN|CLEAR|CLEARTEXT|CRYPT|S?MD5|S?SHA(?:224|256|384|512)?)\}([^{}]+)",
    r"(\$(?:apr1|1)\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22})",
    r"(\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53})",
    r"(\$[56]\$(?:rounds=\d+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43,86})",
    r"(\$y\$[./A-Za-z0-9$]{40,})",
)
_OF_HASHES = (
    "{plain}",
    "{clear",
    "{crypt}",
    "md5}",
    "{sha",
    "{ssha",
    "$apr1$",
    "$1$",
    "$2",
    "$5$",
    "$6$",
    "$y$",
)
# What is given in place of a file: of accounts the name is shown. A picture says what it is.
_DATA = r"data:(?![a-z]+/[a-z0-9.+-]+(?:[;,]|\Z)|[\s;])(?:[^:\s]*:)?(.+)"
_DATA_ENDS = {
    '"': r"(?:[^\"\\]|\\.){0,16384}",
    "'": r"(?:[^'\\]|\\.){0,16384}",
}  # in quotes to their end
_DATA_END = r"[^\s\"';]{0,16384}"
_BEGIN = r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----"
_BODY = r"(?:[A-Za-z0-9+/=]*|[A-Z][A-Za-z-]+: .*)\Z"
_LINE = r"[ \t]*(?:#[ \t]*)?([A-Za-z0-9+/]{60,76}={0,2})[ \t\r]*(?=\n|\Z)"

_MOST_LINES = 400  # of a key: those of 16,384 bits have 200
_MOST_KEY = 16_384
_MOST_WORD = 512  # characters on either side of what a word is known by


def known_forms(text: str, low: str) -> Spans:
    """Offsets of everything in ``text`` that has the form of a secret, in no order; ``low`` is it in lower case."""
    for begin, pattern in _TOKENS.items():
        yield from _from(text, low, begin, pattern)
    for begin in _SCHEMES:
        yield from _from(text, low, begin, _OF_SCHEME)
    if "@" in text:
        yield from _credentials(text)
    yield from _in_words(text, low, _OF_HOOKS, _HOOKS)
    yield from _in_words(text, low, _OF_HASHES, _HASHES, has_variables=False)
    yield from _inline_files(text, low)
    for hint in ("curl ", "wget "):
        for start, end in _around(low, hint, "\n"):
            for match in compiled(_CURL).finditer(text, start, end):
                yield from written_out(text, *match.span(1))
    yield from _private_keys(text)


def _found(low: str, hint: str) -> Iterator[int]:
    at = low.find(hint)
    while at >= 0:
        yield at
        at = low.find(hint, at + len(hint))


def _from(text: str, low: str, begin: str, pattern: str) -> Spans:
    """What has the form ``pattern`` where ``begin`` is, unless it is the middle of a word."""
    if begin in low:
        form = compiled(pattern)
        for at in _found(low, begin):
            before = text[at - 1] if at else " "
            if pattern.startswith("(?<=") or not (before.isalnum() or before in "_-$"):
                match = form.match(text, at)
                if match is not None:
                    yield match.span(match.lastindex or 0)


def _around(low: str, hint: str, stops: str) -> Spans:
    """The parts of a text between ``stops`` in which ``hint`` is, or what is near of them."""
    done = 0
    for at in _found(low, hint):
        if at >= done:
            first = max(at - _MOST_WORD, done)
            start = max(first, *(low.rfind(stop, first, at) + 1 for stop in stops))
            ends = (low.find(stop, at, at + _MOST_WORD) for stop in stops)
            done = min((end for end in ends if end >= 0), default=min(at + _MOST_WORD, len(low)))
            yield start, done


def _in_words(
    text: str, low: str, hints: tuple[str, ...], patterns: tuple[str, ...], *, has_variables: bool = True
) -> Spans:
    for hint in hints:
        if hint in low:
            for start, end in _around(low, hint, " \t\n\"';"):
                word = text[start:end]
                for pattern in patterns:
                    for match in compiled(pattern).finditer(word):
                        span = start + match.start(1), start + match.end(1)
                        yield from written_out(text, *span) if has_variables else (span,)


def _inline_files(text: str, low: str) -> Spans:
    """What stands behind ``data:`` where a word begins."""
    done = 0
    for at in _found(low, "data:"):
        before = text[at - 1 : at]
        if at >= done and (not before.strip() or before in "\"'"):
            end = compiled(_DATA_ENDS.get(before, _DATA_END), re.DOTALL).match(text, at)
            assert end is not None
            done = end.end()
            match = compiled(_DATA, re.DOTALL).match(text, at, done)
            if match is not None:
                yield from written_out(text, *match.span(1))


def _credentials(text: str) -> Spans:
    """Passwords before an ``@``, in URLs and without a scheme."""
    for at in _found(text, "@"):
        first = max(at - _MOST_WORD // 2, 0)
        start = max(first, *(text.rfind(stop, first, at) + 1 for stop in " \t\n\"';"))
        word = text[start:at]
        if ":" in word:
            match = compiled(_WITH_SCHEME if "://" in word else _WITHOUT_SCHEME).search(word)
            follows = text[at + 1 : at + 2]
            if match is not None and (follows.isalnum() or follows in "$[_"):
                number = match.lastindex or 1
                yield from written_out(text, start + match.start(number), start + match.end(number))


def _private_keys(text: str) -> Spans:
    """Private keys in PEM, and lines of one whose begin is not here."""
    at = 0
    if "-----BEGIN" in text:
        for match in compiled(_BEGIN).finditer(text):
            if match.start() >= at:
                end = text.find("-----END", match.end(), match.end() + _MOST_KEY)
                at = end if end >= 0 else _body_end(text, match.end())
                yield match.end(), at
    line = compiled(_LINE).match(text)
    if line is not None:
        yield line.span(1)
    for line in compiled(rf"\n{_LINE}").finditer(text):
        yield line.span(1)


def _body_end(text: str, start: int) -> int:
    """End of the lines of a key that has no end."""
    end = text.find("\n", start)
    for _ in range(_MOST_LINES):
        if end < 0:
            return len(text)
        after = text.find("\n", end + 1)
        line = text[end + 1 : after if after >= 0 else len(text)]
        if not compiled(_BODY).match(line.strip(" \t\r#")):
            break
        end = after
    return end

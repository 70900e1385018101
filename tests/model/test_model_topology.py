"""What groups are, and what their authors declare them to be."""

from __future__ import annotations

import pytest
from model_support import group, http, model_of

from nginxaudit.model.comments import annotation
from nginxaudit.model.topology import TopologyKind


def _topology(body, rest="", **kw):
    model = http(f"upstream app {{ {body} }} {rest}", **kw)
    return model.topology(group(model))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("server a;", TopologyKind.SINGLE),
        ("server a; server b down;", TopologyKind.SINGLE),
        ("server a; server b;", TopologyKind.ACTIVE_ACTIVE),
        ("server a; server b; check interval=1;", TopologyKind.ACTIVE_ACTIVE_HEALTH_CHECKS),
        ("server a; server b backup;", TopologyKind.ACTIVE_PASSIVE),
        ("server a; server b; server c backup;", TopologyKind.ACTIVE_PASSIVE),
        ("server a down; server b backup;", TopologyKind.ACTIVE_PASSIVE),
        ("server a; server b backup down;", TopologyKind.SINGLE),
        ("server a down; server b drain;", TopologyKind.ALL_DOWN),
        ("server a down; server b backup down;", TopologyKind.ALL_DOWN),
        ("server a backup;", TopologyKind.NO_PRIMARY),
        ("", TopologyKind.EMPTY),
        ("state /s;", TopologyKind.EXTERNAL),
        ("server a service=x resolve;", TopologyKind.EXTERNAL),
        ("server a; include missing;", TopologyKind.UNKNOWN),
        ("server a resolve; server b resolve;", TopologyKind.ACTIVE_ACTIVE),
    ],
)
def test_kinds(body, kind):
    assert _topology(body).kind is kind


def test_health_check_of_a_location_that_uses_the_group():
    body = "zone z 64k; server a; server b;"
    used = "server { location / { proxy_pass http://app; health_check; } }"
    other = (
        "server { location / { proxy_pass http://app; } location /x { proxy_pass http://y; health_check; } }"
    )
    assert _topology(body, used).kind is TopologyKind.ACTIVE_ACTIVE_HEALTH_CHECKS
    assert _topology(body, used).health_checks
    assert _topology(body, other).kind is TopologyKind.ACTIVE_ACTIVE


def test_health_check_of_a_stream_server():
    model = model_of("""stream { upstream app { server a:1; server b:1; }
        server { listen 1; proxy_pass app; health_check; } }""")
    assert model.topology(group(model, family="stream")).kind is TopologyKind.ACTIVE_ACTIVE_HEALTH_CHECKS


def test_counts():
    found = _topology("server a; server b; server c down; server d backup;")
    assert (found.primaries, found.backups, found.declared) == (2, 1, None)


@pytest.mark.parametrize(
    "text",
    [
        "upstream app { # nginxaudit: topology=active-passive\n server a; }",
        "# nginxaudit: topology=active-passive\nupstream app { server a; }",
        "# nginxaudit: topology=active-passive\n# and why\nupstream app { server a; }",
        "upstream app {\n server a; # nginxaudit: topology = Active_Passive\n }",
        "upstream app {\n # NGINXAUDIT: topology=active-passive the second waits\n server a; }",
        "upstream app { server a; } # nginxaudit: topology=active-passive",
        "upstream app\n{ # nginxaudit: topology=active-passive\n server a; }",
    ],
)
def test_declared_by_a_comment(text):
    model = http(text)
    found = model.topology(group(model))
    assert (found.declared, found.declared_by) == ("active-passive", "comment")


@pytest.mark.parametrize(
    "text",
    [
        "server { } # nginxaudit: topology=active-passive\nupstream app { server a; }",
        "# nginxaudit: topology=active-passive\n\nupstream app { server a; }",
        "upstream other { server b; # nginxaudit: topology=active-passive\n }\nupstream app { server a; }",
        "# topology=active-passive\nupstream app { server a; }",
        "upstream app { server a; }\n# nginxaudit: topology=active-passive",
    ],
)
def test_comments_that_belong_to_something_else(text):
    model = http(text)
    assert model.declaration(group(model)) is None


def test_unknown_word_is_kept_but_has_no_effect():
    model = http("upstream app { # nginxaudit: topology=hot-cold\n server a; }")
    assert not model.declaration(group(model)).valid
    assert model.topology(group(model)).declared is None


@pytest.mark.parametrize(
    ("settings", "declared"),
    [
        ({"app": "active-passive"}, "active-passive"),
        ({"APP": "active-passive"}, "active-passive"),
        ({"a*": "active-active", "app": "active-passive"}, "active-passive"),
        ({"a*": "active-active"}, "active-active"),
        ({"b*": "active-active"}, None),
    ],
)
def test_declared_by_settings(settings, declared):
    model = http("upstream app { server a; }", topologies=settings)
    found = model.topology(group(model))
    assert found.declared == declared
    assert found.declared_by == ("settings" if declared else None)


def test_comment_beats_settings():
    model = http(
        "upstream app { # nginxaudit: topology=active-active\n server a; }",
        topologies={"app": "active-passive"},
    )
    assert model.declaration(group(model)).topology == "active-active"


def test_comment_inside_an_included_file_belongs_to_the_group_there():
    files = {"u.conf": "# nginxaudit: topology=active-passive\nupstream app { server a; }"}
    model = http("include u.conf;", files=files)
    assert model.declaration(group(model)).topology == "active-passive"


def test_annotations():
    model = http("upstream app { # nginxaudit: ignore[x] why\n server a; # else\n }")
    one, two = model.comments.inside(group(model).directive)
    assert annotation(one) == "ignore[x] why"
    assert annotation(two) is None


def test_comment_behind_and_above():
    model = http("upstream app {\n# above a\nserver a; # behind a\n\nserver b;\n}")
    a, b = (peer.directive for peer in group(model).peers)
    assert model.comments.above(a).text == " above a"
    assert model.comments.trailing(a).text == " behind a"
    assert model.comments.above(b) is None
    assert model.comments.trailing(b) is None

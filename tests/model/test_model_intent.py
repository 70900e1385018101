"""Evidence that a group is meant to be active-passive, and what speaks against it."""

from __future__ import annotations

import pytest
from model_support import group, http, model_of

from nginxaudit.model.intent import THRESHOLD


def _intent(servers, rest="", *, name="app", extra="", **kw):
    model = http(f"upstream {name} {{\n{extra}\n{servers}\n}}\n{rest}", **kw)
    return model.intent(group(model, name))


def _kinds(intent):
    return [each.kind for each in intent.evidence]


# -- evidence


def test_nothing_known():
    intent = _intent("server 10.0.0.1; server 10.0.0.2;")
    assert (intent.kind, intent.score, intent.evidence, intent.missing_backup) == (None, 0, (), False)


def test_backup_servers_tell_it():
    intent = _intent("server a; server b backup;")
    assert intent.kind == "active-passive"
    assert [peer.text for peer in intent.standby] == ["b"]
    assert not intent.missing_backup


def test_declared_is_certain():
    intent = _intent("# nginxaudit: topology=active-passive\nserver a; server b;")
    assert intent.declared
    assert intent.score == 1.0
    assert intent.missing_backup
    (evidence,) = intent.evidence
    assert evidence.source.text[evidence.start : evidence.end] == "# nginxaudit: topology=active-passive"
    assert not _intent("# nginxaudit: topology=active-passive\nserver a; server b backup;").missing_backup


def test_declared_in_settings():
    intent = _intent("server a; server b;", topologies={"app": "active-passive"})
    assert intent.missing_backup
    assert "settings" in intent.evidence[0].text


def test_declared_active_active_ends_all_guessing():
    intent = _intent("# nginxaudit: topology=active-active\nserver a; server standby;")
    assert (intent.kind, intent.missing_backup) == ("active-active", False)


@pytest.mark.parametrize(
    "word",
    [
        "standby",
        "passive",
        "failover",
        "fallback",
        "secondary",
        "spare",
        "dr",
        "disaster",
        "reserve",
        "stand-by",
        "backup",
    ],
)
@pytest.mark.parametrize(
    "servers",
    [
        "server app1.example.com;\nserver {}.example.com;",
        "server db-primary:80;\nserver db-{}-02:80;",
        "server 10.0.0.1;\nserver 10.0.0.2; # {}",
        "server 10.0.0.1;\nserver 10.0.0.2; # {} node",
        "server 10.0.0.1;\n# {}\nserver 10.0.0.2;",
        "server unix:/run/a.sock;\nserver unix:/run/a_{}.sock;",
    ],
)
def test_standby_word_of_one_server(servers, word):
    intent = _intent(servers.format(word))
    assert intent.kind == "active-passive"
    assert intent.missing_backup
    assert _kinds(intent) == ["words"]
    assert [peer.directive.args[0] for peer in intent.standby] == [
        servers.format(word).split("server ")[-1].split(";")[0]
    ]
    assert word.replace("-", "") in intent.evidence[0].text.replace("-", "").lower()


def test_evidence_shows_the_word_where_it_stands():
    intent = _intent("server 10.0.0.1;\nserver 10.0.0.2; # standby")
    (evidence,) = intent.evidence
    assert evidence.source.text[evidence.start : evidence.end] == "# standby"


def test_sibling_group():
    intent = _intent("server a; server b;", "upstream other { server A:80; server b backup; }")
    assert _kinds(intent) == ["sibling"]
    assert [peer.text for peer in intent.standby] == ["b"]
    assert '"other"' in intent.evidence[0].text
    assert intent.missing_backup


@pytest.mark.parametrize(
    "other",
    [
        "upstream other { server a; server c backup; }",  # not the same servers
        "upstream other { server a; server b; server c backup; }",  # the backup is another server
        "upstream other { server a; server b; }",  # no roles there
        "upstream other { server a:81; server b:81 backup; }",  # other ports
    ],
)
def test_groups_that_are_no_siblings(other):
    assert _intent("server a; server b;", other).kind is None


def test_sibling_that_is_outnumbered_does_not_suffice():
    rest = "upstream other { server a; server b backup; }"
    assert _intent("server a; server b;", rest).missing_backup
    rest += " upstream third { server b; server a; }"  # two without against one with
    outnumbered = _intent("server a; server b;", rest)
    assert _kinds(outnumbered) == ["sibling"]
    assert outnumbered.kind is None


def test_sibling_with_more_servers_does_not_suffice():
    wider = _intent("server a; server b;", "upstream other { server a; server b backup; server c backup; }")
    assert _kinds(wider) == ["sibling"]
    assert wider.kind is None


def test_server_that_is_down_here_is_no_standby_with_traffic():
    assert _intent("server a; server b down;", "upstream other { server a; server b backup; }").kind is None


def test_sibling_of_the_other_module_does_not_count():
    model = model_of("""http { upstream app { server a:1; server b:1; } }
        stream { upstream other { server a:1; server b:1 backup; } }""")
    assert model.intent(group(model)).kind is None


@pytest.mark.parametrize(
    "name", ["app_ha", "db-failover", "active_passive", "primary_standby", "app.standby"]
)
def test_name_of_the_group_only_adds(name):
    intent = _intent("server 10.0.0.1; server 10.0.0.2;", name=name)
    assert _kinds(intent) == ["name"]
    assert 0 < intent.score < THRESHOLD
    assert intent.kind is None


def test_weak_evidence_alone_never_suffices():
    intent = _intent("server 10.0.0.1; server 10.0.0.2;", name="app_failover", path="ha-standby.conf")
    assert _kinds(intent) == ["file", "name"]
    assert intent.score < THRESHOLD


@pytest.mark.parametrize(
    "path",
    [
        "active-passive.conf",
        "conf.d/10-active_passive.conf",
        "nginx.active-passive.conf",
        "ActivePassive.conf",
    ],
)
def test_explicit_file_name_suffices(path):
    assert _intent("server 10.0.0.1; server 10.0.0.2;", path=path).missing_backup
    assert not _intent("server 10.0.0.1; server 10.0.0.2 backup;", path=path).missing_backup
    assert not _intent("server 10.0.0.1;", path=path).missing_backup


@pytest.mark.parametrize(
    "path", ["nginx.conf", "inactive-passive.conf", "active.conf", "passive-active.conf", "domain.conf"]
)
def test_file_names_that_say_nothing(path):
    assert _intent("server 10.0.0.1; server 10.0.0.2;", path=path).kind is None


@pytest.mark.parametrize("kw", [{"path": "active-active.conf"}, {"name": "active_active"}])
def test_active_active_by_name(kw):
    intent = _intent("server a; server standby;", **kw)
    assert (intent.kind, intent.missing_backup) == ("active-active", False)


def test_cold_standby_is_a_hint():
    intent = _intent("server a; server b down;")
    assert [each.kind for each in intent.hints] == ["cold-standby"]
    assert intent.kind is None
    assert _intent("server a; server b; server c down;").hints == ()
    assert _intent("server a down; server b down;").hints == ()


@pytest.mark.parametrize(
    ("weights", "hint"), [((50, 1), True), ((100, 2), True), ((49, 1), False), ((1, 1), False)]
)
def test_extreme_weights_are_a_hint(weights, hint):
    intent = _intent(f"server a weight={weights[0]}; server b weight={weights[1]};")
    assert bool(intent.hints) is hint
    assert intent.kind is None


def test_odd_one_of_a_series_is_a_hint():
    rest = "upstream app2 { server c; server d backup; } upstream app3 { server e; server f backup; }"
    intent = _intent("server a; server b;", rest, name="app1")
    assert [each.kind for each in intent.hints] == ["outlier"]
    assert '"app#"' in intent.hints[0].text
    two_without = rest + " upstream app4 { server g; server h; }"
    assert _intent("server a; server b;", two_without, name="app1").hints == ()
    assert (
        _intent("server a; server b;", "upstream app2 { server c; server d backup; }", name="app1").hints
        == ()
    )


def test_evidence_adds_up():
    intent = _intent("server a; server standby;", name="app_ha")
    assert _kinds(intent) == ["words", "name"]
    assert intent.score == 0.9
    assert _intent("server a; server standby; # standby", path="active-passive.conf").score == 1.0


# -- words that mean something else


@pytest.mark.parametrize(
    "servers",
    [
        "server drupal; server app;",
        "server domain; server sparerib;",
        "server secondary-1; server secondary-2; server secondary-3;",
        "server a-standby; server b-standby;",
        "server replica-1; server replica-2;",
        "server master; server replica;",
        "server blue; server green; server canary;",
        "server 10.0.0.1; # standby\nserver 10.0.0.2; # standby",
        "server app-primary; server db-main-secondary;",
    ],
)
def test_names_that_are_no_roles(servers):
    assert _intent(servers).kind is None


@pytest.mark.parametrize(
    "comment",
    [
        "no failover here",
        "not a standby",
        "was standby until 2023",
        "standby?",
        "never use as fallback",
        "this one used to serve as the standby machine before we moved",
        "failover pair",
        "active/passive",
        "server standby.example.com backup;",
        "nginxaudit: ignore[x] standby",
        "TODO make this standby",
        "drupal",
    ],
)
@pytest.mark.parametrize("where", ["server a;\nserver b; # {}", "server a;\n# {}\nserver b;"])
def test_comments_that_are_no_roles(comment, where):
    assert _intent(where.format(comment)).kind is None


def test_comment_behind_the_line_above_belongs_to_that_line():
    intent = _intent("server a; # standby\nserver b;")
    assert [peer.text for peer in intent.standby] == ["a"]


def test_comment_belongs_to_the_last_server_of_its_line():
    intent = _intent("server a; server b; # standby")
    assert [peer.text for peer in intent.standby] == ["b"]


def test_standby_that_is_down_takes_no_traffic():
    intent = _intent("server a; server standby down;")
    assert (intent.kind, [each.kind for each in intent.hints]) == (None, ["cold-standby"])


# -- excuses


_USE = "server { location / { proxy_pass http://app; %s } %s }"


@pytest.mark.parametrize(
    ("extra", "rest"),
    [
        ("ip_hash;", ""),
        ("hash $a;", ""),
        ("random;", ""),
        ("fair;", ""),
        ("state /s;", ""),
        ("include missing;", ""),
        ("server c service=x resolve;", ""),
        ("server vip-1;", ""),
        ("server keepalived.example.com;", ""),
        ("server dns:53;", ""),
        ("zone z 64k;", "server { location /api { api write=on; } }"),
        ("", _USE % ("error_page 502 504 = @other;", "location @other { proxy_pass http://spare; }")),
        ("", _USE % ("error_page 502 /down;", "location /down { proxy_pass http://spare; }")),
        (
            "",
            "error_page 500 502 503 504 @other;"
            + _USE % ("", "location @other { proxy_pass http://spare; }"),
        ),
        (
            "",
            "upstream b { server x; } map $host $m { default app; x b; }"
            " server { location / { proxy_pass http://$m; } }",
        ),
    ],
)
def test_excuses(extra, rest):
    intent = _intent("server a; server standby;", rest, extra=extra)
    assert intent.kind == "active-passive"
    assert intent.suppressed
    assert not intent.missing_backup


@pytest.mark.parametrize(
    ("extra", "rest"),
    [
        ("least_conn;", ""),
        ("zone z 64k;", ""),
        ("zone z 64k;", "server { location /api { api; } }"),
        ("server dns:54;", ""),
        ("", _USE % ("error_page 404 = @other;", "location @other { proxy_pass http://spare; }")),
        ("", _USE % ("error_page 502 = @other;", "location @other { proxy_pass http://app; }")),
        ("", _USE % ("error_page 502 = @other;", "location @other { root /x; }")),
        ("", _USE % ("error_page 502 = @other;", "")),
        ("", "map $host $m { default app; } server { location / { proxy_pass http://$m; } }"),
    ],
)
def test_no_excuses(extra, rest):
    assert _intent("server a; server standby;", rest, extra=extra).missing_backup


def test_udp_dns_behind_another_port():
    text = """stream {{ upstream app {{ server primary:5300; server secondary:5300; }}
        server {{ listen {}; proxy_pass app; }} }}"""
    for listen, excused in (("53 udp", True), ("54 udp", False), ("53", False)):
        model = model_of(text.format(listen))
        assert bool(model.intent(group(model, family="stream")).suppressed) is excused, listen


def test_one_server_is_never_reported():
    assert not _intent("server standby;").missing_backup
    assert not _intent("# nginxaudit: topology=active-passive\nserver a;").missing_backup


def test_texts_are_sentences_for_people():
    intent = _intent(
        "server a; server standby; # standby",
        "upstream other { server a; server standby backup; }",
        name="app_ha",
        path="active-passive.conf",
    )
    assert _kinds(intent) == ["sibling", "words", "words", "file", "name"]
    assert len({each.text for each in intent.evidence}) == 5
    for each in intent.evidence:
        assert each.text[0].islower()
        assert each.start < each.end

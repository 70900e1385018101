"""``nginxaudit expect``: routing tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TextIO

import click

from nginxaudit.cli.options import settings_of, target_options
from nginxaudit.cli.output import COLORS, Output, output_options
from nginxaudit.cli.sections import Sectioned
from nginxaudit.cli.streams import CommandError
from nginxaudit.views.expect import FORMATS

if TYPE_CHECKING:
    from nginxaudit.engine.routes import Route, Routes, RoutesText
    from nginxaudit.model import Model
    from nginxaudit.request.records import Ask, Trace, World
    from nginxaudit.views.expect.view import Results

_FILE = "nginx-routes.toml"


@click.command("expect", cls=Sectioned, short_help="Run routing tests: which requests must go where.")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--nginx-conf", metavar="PATH", help="The configuration (default: what the file names, else as for scan)."
)
@click.option("--update", is_flag=True, help="Update failing tests with the current results.")
@click.option("--suggest", is_flag=True, help="Print a first test file, derived from the configuration.")
@click.option("--coverage", is_flag=True, help="List the servers and locations that no test reaches.")
@output_options(FORMATS)
@target_options
def command(files: tuple[str, ...], **options: Any) -> int:
    """Run routing tests: which requests must go where.

    FILE (default: nginx-routes.toml) is a list of requests and their expected results:

    \b
      config = "nginx/nginx.conf"
      [[route]]
      url = "https://shop.example/pay/42"
      expect = { upstream = "payments", uri = "/42" }
      [[route]]
      url = "https://shop.example/private/x"
      from = "203.0.113.9"
      expect = { refused = true }

    expect may ask for: status, redirect, upstream, uri, location, server, file, body, refused
    (a 4xx other than 404, or nothing), headers and sent (headers to the backend). A test must hold in every outcome;
    files, missing, only-files, backend-status, from, user and others specify what is known. See nginxaudit trace.

    \b
    Exit codes:
      0  all tests passed
      1  some test failed
      2  wrong usage, settings or test file
      3  some input could not be analysed (wins over 1)
      4  internal error

    \b
    Examples:
      nginxaudit expect --suggest --nginx-conf /etc/nginx > nginx-routes.toml
      nginxaudit expect
      nginxaudit expect --format junit --output routes.xml tests/nginx-routes.toml
    """
    from nginxaudit.engine.routes import RoutesError, read_routes
    from nginxaudit.engine.settings import SettingsError

    try:
        with Output(options["output"]) as output:
            if options["suggest"]:
                if files:
                    raise click.UsageError(
                        f"--suggest writes tests, it reads none: name the configuration with --nginx-conf {files[0]}"
                    )
                return _suggest(output, options)
            texts = [read_routes(path) for path in files or (_FILE,)]
            results, incomplete = _run(texts, options)

            def tell(stream: TextIO) -> None:
                from nginxaudit.views.expect import render_results

                render_results(options["format_name"], results, stream, color=COLORS[options["color"]])

            output.write(tell, options["format_name"])
    except (SettingsError, RoutesError) as error:
        raise CommandError(str(error)) from None
    return 3 if incomplete else int(results.failed > 0)


def _models(path: str | None, options: dict[str, Any]) -> tuple[list[Model], bool, str]:
    """The configurations that serve HTTP, whether something could not be analysed, and the prefix."""
    from nginxaudit.cli.serving import say_several, serving

    paths = (path,) if path is not None else ()
    settings = settings_of(paths, options)
    models, incomplete = serving(paths, settings)
    say_several(models)
    return models, incomplete, settings.prefix or ""


def _run(texts: list[RoutesText], options: dict[str, Any]) -> tuple[Results, bool]:
    from nginxaudit.views.expect.view import Result, Results

    tests: list[Result] = []
    servers, locations, incomplete = [0, 0], [0, 0], False
    missed: list[str] = []
    for text in texts:
        path = options["nginx_conf"] or _beside(text)
        models, lacking, prefix = _models(path, options)
        incomplete = incomplete or lacking
        traces, found = _tests(text, models, prefix, options["update"])
        tests += found
        for model in models:
            _cover(model, traces, servers, locations, missed)
    results = Results(
        tuple(tests),
        (servers[0], servers[1]),
        (locations[0], locations[1]),
        tuple(missed),
        options["coverage"],
    )
    return results, incomplete


def _beside(text: RoutesText) -> str | None:
    config = text.routes.config
    return os.path.join(os.path.dirname(text.path), config) if config is not None else None


def _tests(text: RoutesText, models: list[Model], prefix: str, update: bool) -> tuple[list[Trace], list[Any]]:
    """Run the tests of a file; with ``update`` those that fail get what happens now."""
    from nginxaudit.cli.serving import model_for
    from nginxaudit.report.masked import veiled
    from nginxaudit.request.expectations import failures, now
    from nginxaudit.request.walk import trace
    from nginxaudit.views.expect.view import Result

    traces: list[Trace] = []
    found: list[Result] = []
    changed: dict[int, dict[str, object]] = {}
    for number, route in enumerate(text.routes.route if models else ()):
        ask = _ask(route)
        done = trace(model_for(models, ask), ask, _world(route, text.routes, prefix))
        traces.append(done)
        wrong = failures(route.expect, done.outcomes)
        if wrong and update and (table := now(done.outcomes)):
            changed[number] = table
            wrong = ()
        title = route.name or f"{ask.method} {route.url}"
        words = tuple([veiled(each.words) for each in wrong])
        happens = _happens(done, wrong[0].when) if wrong else ""
        found.append(Result(text.path, text.lines[number], veiled(title), words, happens))
    if changed:
        _write(text, changed)
    return traces, found


def _happens(done: Trace, when: tuple[str, ...]) -> str:
    """The outcome that holds under some assumptions, and where it is written."""
    from nginxaudit.views.trace.view import shown_outcome
    from nginxaudit.views.trace.words import summary

    outcome = next((each for each in done.outcomes if each.when == when), done.outcomes[0])
    shown = shown_outcome(outcome)
    place = shown.location or shown.server
    return summary(shown) + (f" ({place})" if place else "")


def _write(text: RoutesText, changed: dict[int, dict[str, object]]) -> None:
    from nginxaudit.cli.streams import say
    from nginxaudit.engine.routes import updated

    new, left = updated(text, changed)
    with Output(text.path) as output:
        output.write_bytes([new])
    count = len(changed) - len(left)
    say(f"{text.path}: {count} test{'s' if count != 1 else ''} updated", error=True)
    for number in left:
        say(f"{text.path}:{text.lines[number]}: not updated: write expect = {{ … }} on one line", error=True)


def _ask(route: Route) -> Ask:
    from nginxaudit.cli.asks import ask_of

    headers = tuple([f"{name}: {value}" for name, value in route.headers.items()])
    options = {
        "tls": False, "headers": headers, "data": route.data, "method": route.method, "address": route.address,
        "client": route.client, "sni": route.sni, "http2": False,
        "alpn": route.alpn, "proxy_protocol": route.proxy_protocol,
    }  # fmt: skip
    return ask_of(route.url, options)


def _world(route: Route, routes: Routes, prefix: str) -> World:
    from nginxaudit.request.records import World

    known = routes.known
    return World(
        files=frozenset(known.files + route.files),
        missing=frozenset(known.missing + route.missing),
        complete=known.only_files if route.only_files is None else route.only_files,
        backend_status=known.backend_status if route.backend_status is None else route.backend_status,
        user=route.user,
        prefix=prefix,
    )


def _cover(
    model: Model, traces: list[Trace], servers: list[int], locations: list[int], missed: list[str]
) -> None:
    from nginxaudit.request.reached import coverage
    from nginxaudit.views.trace.view import place_of

    found = coverage(model, traces)
    for counts, missing, every in (
        (servers, found.missed_servers, found.servers),
        (locations, found.missed_locations, found.locations),
    ):
        counts[0] += every - len(missing)
        counts[1] += every
    nodes = (*found.missed_servers, *found.missed_locations)
    missed += [f"{place_of(node)} {' '.join([node.name, *node.args])}" for node in nodes]


def _suggest(output: Output, options: dict[str, Any]) -> int:
    """Write a first file of tests."""
    from msgspec.structs import replace

    from nginxaudit.cli.streams import say
    from nginxaudit.engine.routes import inline, quoted
    from nginxaudit.report.masked import veiled
    from nginxaudit.request.candidates import candidates
    from nginxaudit.request.connections import connections

    models, incomplete, prefix = _models(options["nginx_conf"], options)
    lines: list[str] = []
    for model in models:
        for ask in (*candidates(model), *connections([model])):
            if ask.tls and ask.sni is None:
                continue  # a URL has a name
            table, files = _now(model, ask, prefix)
            if not table and ask.address is None:  # it may depend on the socket: IPv4, then
                ask = replace(ask, address="127.0.0.1")
                table, files = _now(model, ask, prefix)
            if table:
                shown = {
                    key: veiled(value) if isinstance(value, str) else value for key, value in table.items()
                }
                to = f"to = {quoted(ask.address)}\n" if ask.address is not None else ""
                to += f"alpn = {quoted(','.join(ask.alpn))}\n" if ask.alpn else ""
                only = f"files = [{quoted(files[0])}]\nonly-files = true\n" if files else ""
                lines.append(f"[[route]]\nurl = {quoted(ask.url)}\n{to}{only}expect = {inline(shown)}\n")
    if not lines:
        if models:
            say(
                "nginxaudit: no test can be suggested: no server has an address and a name that are known",
                error=True,
            )
        return 3
    if options["nginx_conf"] is not None:
        lines.insert(0, f"config = {quoted(options['nginx_conf'])}\n")
    output.write(lambda stream: _written(stream, lines), "toml")
    return 3 if incomplete else 0


def _now(model: Model, ask: Ask, prefix: str) -> tuple[dict[str, object], tuple[str, ...]]:
    """What happens now; where that depends on files, what happens if the one that is looked for first is the only one there."""
    from nginxaudit.request.expectations import now
    from nginxaudit.request.records import World
    from nginxaudit.request.walk import trace

    outcomes = trace(model, ask, World(prefix=prefix), explain=False).outcomes
    if outcomes[0].server is None:
        return {}, ()  # the connection is refused
    table, file = now(outcomes), outcomes[0].file
    if table or file is None or file.endswith("/"):
        return table, ()
    known = World(files=frozenset({file}), complete=True, prefix=prefix)
    return now(trace(model, ask, known, explain=False).outcomes), (file,)


def _written(stream: TextIO, lines: list[str]) -> None:
    stream.write("\n".join(lines))

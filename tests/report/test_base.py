import io
import subprocess
import sys

import pytest

from nginxaudit.report import FORMATS, RenderOptions, render, renderer
from tests.report.samples import full


def test_formats_are_those_of_the_command_line():
    assert FORMATS[:4] == ("text", "concise", "json", "sarif")
    assert set(FORMATS[4:]) == {"github", "gitlab", "junit", "checkstyle", "rdjson", "markdown", "html"}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_writes_every_finding(name):
    stream = io.StringIO()
    render(name, full(), stream)
    # SARIF holds a message as text and as argument of its template, JUnit as attribute and as text.
    twice = ("sarif",)
    assert stream.getvalue().count("HTTP/1.0 has no keepalive") == (2 if name in twice else 1)


def test_unknown_format():
    with pytest.raises(ValueError, match="unknown output format 'xml': it is one of text, concise"):
        renderer("xml")


@pytest.mark.parametrize(
    "module", ["nginxaudit.report", "nginxaudit.report.text", "nginxaudit.report.json_v1"]
)
def test_nothing_heavy_is_imported_before_it_is_needed(module):
    code = f"import sys, {module}; print(*{{'rich', 'sarif_om', 'attr', 'networkx'}} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""


@pytest.mark.parametrize("name", FORMATS)
def test_closed_pipe_is_left_to_the_caller(name):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

        def writelines(self, lines):
            for line in lines:
                self.write(line)

    with pytest.raises(BrokenPipeError):
        render(name, full(), Closed(), RenderOptions(color=False))

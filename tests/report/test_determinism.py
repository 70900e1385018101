import os
import subprocess
import sys

import pytest

from nginxaudit.report import FORMATS
from tests.report.samples import rendered, troubled

CODE = "import sys; from tests.report.samples import rendered, troubled; sys.stdout.write(rendered({!r}, troubled()))"


@pytest.mark.parametrize("name", FORMATS)
def test_same_bytes_in_every_process(name):
    outputs = {rendered(name, troubled()).encode()}
    for seed in ("0", "1", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        outputs.add(subprocess.check_output([sys.executable, "-c", CODE.format(name)], env=environment))
    assert len(outputs) == 1

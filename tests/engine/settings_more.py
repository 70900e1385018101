"""Settings with a few more fields, one of each kind."""

from enum import Enum
from typing import Annotated

from nginxaudit.engine.settings.record import REPORTED, FileSettings, about


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class More(FileSettings, frozen=True, rename="kebab", forbid_unknown_fields=True):
    most_lines: Annotated[int, about("Most lines.", "--most-lines N", REPORTED, ge=1, le=500)] = 40
    colour: Annotated[Colour, about("Colour.", "--colour", REPORTED)] = Colour.GREEN
    words: Annotated[tuple[str, ...], about("Words.", "--word WORD", REPORTED, sample="[]")] = ()
    flag: Annotated[bool, about("Flag.", "--flag", REPORTED)] = False
    share: Annotated[float, about("Share.", "--share N", REPORTED)] = 0.5

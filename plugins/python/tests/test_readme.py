import re
from pathlib import Path
from typing import Any

import postcall
from postcall import Event
from postcall.testing import check, run

README = Path(__file__).parents[1] / "README.md"


def test_the_plugin_that_is_shown_works() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.splitlines()) <= 15
    module: dict[str, Any] = {"__name__": "shown"}
    exec(code, module)
    short, long = run(module["transform"], [Event("1", duration=3.0), Event("2", duration=30.0)], module["Settings"]())
    assert (short.decision, short.reason, long.decision) == ("drop", "too short", "keep")
    check(module["transform"], module["Settings"]())
    for line in filter(None, code.splitlines()):
        assert "    " + line in (postcall.__doc__ or "").splitlines()

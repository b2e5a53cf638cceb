"""What a transform raises to say what postcall has to do."""

from __future__ import annotations

__all__ = ["Canceled", "Permanent", "Retry", "SettingError"]


class Permanent(Exception):
    """The batch itself is at fault, and would be again.

    postcall halves the batch until it finds the event, and holds that one back as a dead letter. The message is for
    operators: it must not hold what a caller said.
    """


class Retry(Exception):
    """Something outside of the batch failed; postcall sends the same batch again.

    The message is for operators: it must not hold what a caller said.
    """


class SettingError(Exception):
    """A setting is wrong: the plugin doesn't start. Says which and why, never the value, which can be a secret."""

    def __init__(self, setting: str, rule: str) -> None:
        super().__init__(f'settings: "{setting}" {rule}')
        self.setting = setting


class Canceled(Exception):
    """Raised by check() when nobody waits for the batch any more. Let it pass."""

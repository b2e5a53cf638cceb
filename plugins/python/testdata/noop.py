"""A plugin that changes nothing: what is left is the hop."""

from postcall import Event, serve


def transform(_event: Event) -> None:
    pass


if __name__ == "__main__":
    serve("noop", "1.0.0", transform)

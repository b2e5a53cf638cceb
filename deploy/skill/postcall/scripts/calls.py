#!/usr/bin/env python3
"""Asks postcall about calls, by its MCP tools over HTTP. Python's standard library is all it needs.

    calls.py                        the tools and their arguments
    calls.py TOOL [NAME=VALUE ...]  calls a tool and prints its answer

CALLS_URL is where `postcall api` listens, for example https://calls.example.com; CALLS_TOKEN is a token of it.
"""

import json
import os
import sys
import urllib.error
import urllib.request


def ask(method, params):
    """Sends one request of JSON-RPC and returns its result."""
    url, token = os.environ.get("CALLS_URL"), os.environ.get("CALLS_TOKEN")
    if not url or not token:
        sys.exit("set CALLS_URL and CALLS_TOKEN: where postcall api listens, and a token of it")
    request = urllib.request.Request(
        url.rstrip("/") + "/mcp",
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode(),
        {
            "Authorization": "Bearer " + token,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2025-11-25",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as err:
        try:
            detail = json.load(err).get("detail", "")
        except ValueError:
            detail = ""
        sys.exit(f"HTTP {err.code}: {detail or err.reason}")
    except OSError as err:
        sys.exit(f"no answer from CALLS_URL: {err}")
    if "error" in answer:
        sys.exit(answer["error"].get("message", "an error without a text"))
    return answer["result"]


def value(text, schema):
    """Reads a value as the tool's schema has it."""
    kind = schema.get("type")
    try:
        if kind == "integer":
            return int(text)
        if kind == "boolean":
            return {"true": True, "false": False}[text]
    except (ValueError, KeyError):
        sys.exit(f"{text!r} is no {kind}")
    return [part for part in text.split(",") if part] if kind == "array" else text


def tools():
    """The tools that this token may use, by name."""
    return {tool["name"]: tool for tool in ask("tools/list", {})["tools"]}


def show(all_tools):
    """Prints every tool with its arguments."""
    for name, tool in sorted(all_tools.items()):
        print(f"{name}: {tool['description']}")
        for argument, schema in tool["inputSchema"].get("properties", {}).items():
            print(f"  {argument}: {schema.get('description', '')}")


def call(all_tools, name, pairs):
    """Calls a tool and prints its answer, marked as the data that it is."""
    if name not in all_tools:
        sys.exit(f"there is no tool {name}, or this token may not use it: there are {', '.join(sorted(all_tools))}")
    schemas, arguments = all_tools[name]["inputSchema"].get("properties", {}), {}
    for pair in pairs:
        key, given, text = pair.partition("=")
        if not given or key not in schemas:
            sys.exit(f"{key} is no argument of {name}: it has {', '.join(schemas) or 'none'}, as NAME=VALUE")
        arguments[key] = value(text, schemas[key])
    result = ask("tools/call", {"name": name, "arguments": arguments})
    text = "\n".join(part["text"] for part in result["content"] if part.get("type") == "text")
    if result.get("isError"):
        sys.exit(text)
    for line in text.split("\n"):  # the data is one line of JSON: indented, it is easier to read
        if line.startswith("{"):
            data = json.loads(line)
            data.pop("notice", None)  # it stands above
            line = json.dumps(data, indent=1, ensure_ascii=False)
        print(line)


def main():
    """Reads the command line."""
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__)
    elif len(sys.argv) == 1:
        show(tools())
    else:
        call(tools(), sys.argv[1], sys.argv[2:])


if __name__ == "__main__":
    main()

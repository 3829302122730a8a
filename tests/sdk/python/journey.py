"""Journeys with the Anthropic Python SDK. Each line of input, `{"name": …, "url": …, "key": …}`, is answered with
a line of JSON that says what the SDK made of it; one process for all of them, because the SDK takes seconds to
load. Judges nothing: python.test.mjs compares."""

import json
import sys

import anthropic

MODEL = "claude-opus-5-5"
HI = [{"role": "user", "content": "hi"}]
BASH = {
    "name": "Bash",
    "description": "Runs a command in a shell.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}},
}


def message(client):
    return client.messages.create(model=MODEL, max_tokens=1000, messages=HI).to_dict()


def stream(client):
    with client.messages.stream(model=MODEL, max_tokens=1000, messages=HI) as events:
        kinds = [event.type for event in events]
        return {"events": kinds, "message": events.get_final_message().to_dict()}


def tools(client):
    messages, turns = list(HI), []
    while not turns or turns[-1].stop_reason == "tool_use":
        turn = client.messages.create(model=MODEL, max_tokens=1000, tools=[BASH], messages=messages)
        uses = [block for block in turn.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": use.id, "content": "ok"} for use in uses]
        messages += [{"role": "assistant", "content": turn.content}, {"role": "user", "content": results}]
        turns.append(turn)
    return [turn.to_dict() for turn in turns]


def count_tokens(client):
    return client.messages.count_tokens(model=MODEL, messages=HI, tools=[BASH]).to_dict()


def models(client):
    return [model.id for model in client.models.list(limit=1000)]


def error(client):
    try:
        client.messages.create(model=MODEL, max_tokens=1000, messages=HI)
    except anthropic.APIError as problem:
        return {
            "kind": type(problem).__name__,
            "message": str(problem),
            "status": getattr(problem, "status_code", None),
        }


def broken_stream(client):
    try:
        with client.messages.stream(model=MODEL, max_tokens=1000, messages=HI) as events:
            return {"finished": events.get_final_message().to_dict()}
    except Exception as problem:  # Each kind of break has its own class, some of them the transport's.
        return {"kind": type(problem).__name__, "message": str(problem)}


JOURNEYS = {
    journey.__name__: journey
    for journey in (message, stream, tools, count_tokens, models, error, broken_stream)
}

if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        with anthropic.Anthropic(base_url=asked["url"], api_key=asked["key"], max_retries=0) as client:
            print(json.dumps(JOURNEYS[asked["name"]](client)), flush=True)

"""A small agent on the real SDKs: asks its model, and runs the tool that the model calls over MCP.

    agent.py STEPS WRAP COMMAND...

STEPS is a JSON list. {"call": true} runs the tool without asking the model; anything else is a turn: "api" (chat, responses,
messages), "stream", "system", "model", "tools" (names) and "settings". For each step a line of JSON: {"answer"} of the MCP
server, {"said"} where the model called no tool, or {"status", "message"} where the API refused. Ends with code 7.
"""

import json
import subprocess
import sys

import anthropic
import openai

steps, wrap = json.loads(sys.argv[1]), sys.argv[2:]
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
ASKED = {"role": "user", "content": "Say hi."}


def chat(step, settings):
    client = openai.OpenAI(api_key="k", max_retries=0)
    tools = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in step["tools"]]
    told = [{"role": "system", "content": step["system"]}] if step["system"] is not None else []
    settings |= {"model": step["model"], "messages": [*told, ASKED]} | ({"tools": tools} if tools else {})
    if not step["stream"]:
        message = client.chat.completions.create(**settings).choices[0].message
        calls = [(call.function.name, call.function.arguments) for call in message.tool_calls or []]
    else:
        deltas = [chunk.choices[0].delta for chunk in client.chat.completions.create(stream=True, **settings)]
        calls = [(call.function.name, call.function.arguments) for d in deltas for call in d.tool_calls or []]
    return [(name, json.loads(arguments)) for name, arguments in calls]


def responses(step, settings):
    client = openai.OpenAI(api_key="k", max_retries=0)
    tools = [{"type": "function", "name": name, "parameters": SCHEMA, "strict": False} for name in step["tools"]]
    settings |= {"model": step["model"], "input": [ASKED]} | ({"tools": tools} if tools else {})
    settings |= {"instructions": step["system"]} if step["system"] is not None else {}
    if not step["stream"]:
        items = client.responses.create(**settings).output
    else:
        events = client.responses.create(stream=True, **settings)
        items = [event.item for event in events if event.type == "response.output_item.done"]
    return [(item.name, json.loads(item.arguments)) for item in items if item.type == "function_call"]


def messages(step, settings):
    client = anthropic.Anthropic(api_key="k", max_retries=0)
    tools = [{"name": name, "input_schema": SCHEMA} for name in step["tools"]]
    settings |= {"model": step["model"], "max_tokens": 64, "messages": [ASKED]} | ({"tools": tools} if tools else {})
    settings |= {"system": step["system"]} if step["system"] is not None else {}
    if not step["stream"]:
        blocks = client.messages.create(**settings).content
    else:
        with client.messages.stream(**settings) as stream:
            blocks = stream.get_final_message().content
    return [(block.name, block.input) for block in blocks if block.type == "tool_use"]


APIS = {"chat": chat, "responses": responses, "messages": messages}
server = subprocess.Popen(wrap, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
number = 0


def mcp(name, arguments):
    global number
    number += 1
    call = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    server.stdin.write(json.dumps(call).encode() + b"\n")
    server.stdin.flush()
    while (answer := json.loads(server.stdout.readline())).get("id") != number:
        pass
    return answer


for step in steps:
    try:
        calls = [("echo", {"text": "hi"})]
        if "call" not in step:
            calls = APIS[step["api"]](step, {"extra_body": step.get("settings", {})})
        done = {"answer": mcp(*calls[0])} if calls else {"said": True}
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        done = {"status": error.status_code, "message": error.message, "body": error.body}
    print(json.dumps(done), flush=True)
server.stdin.close()
server.wait()
sys.exit(7)

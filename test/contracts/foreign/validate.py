"""Validates events from the wire, one JSON body a line on standard input, as a team without this library would.

The argument is a file with the AsyncAPI document and the JSON Schemas by event and version. Each event is validated as
the message of the document that its `type` and `dataschema` name (draft 7), and its data by the JSON Schema (draft
2020-12). Prints what is wrong as JSON: number of the line, which of the two, and the first fault.
"""

import json
import sys

from jsonschema import Draft7Validator, Draft202012Validator, RefResolver

with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)
document, schemas = given["asyncapi"], given["schemas"]
resolver = RefResolver.from_schema(document)

messages = {}
for name, message in document["components"]["messages"].items():
    Draft7Validator.check_schema(message["payload"])
    messages[name] = Draft7Validator(message["payload"], resolver=resolver)
data = {}
for name, schema in schemas.items():
    Draft202012Validator.check_schema(schema)
    data[name] = Draft202012Validator(schema)

seen, faults = 0, []
for number, line in enumerate(sys.stdin):
    event = json.loads(line)
    version = event["dataschema"].rsplit(":", 1)[1]
    name = f"{event['type']}.v{version}"
    seen += 1
    for kind, validator, instance in (
        ("asyncapi", messages[name], event),
        ("schema", data[name], event["data"]),
    ):
        fault = next(validator.iter_errors(instance), None)
        if fault is not None:
            faults.append({"line": number, "by": kind, "fault": fault.message})

json.dump({"seen": seen, "messages": len(messages), "faults": faults}, sys.stdout)

"""Checks events of OCSF on standard input, one a line, against the framework's published schema; prints how many there are of each class.

Beyond the schema: what the framework says in words of ids that belong together.
"""

import collections
import json
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

schemas = {}
counts = collections.Counter()
for number, line in enumerate(sys.stdin, 1):
    event = json.loads(line)
    version, profiles = event["metadata"]["version"], event["metadata"].get("profiles", [])
    key = (version, event["class_uid"], tuple(profiles))
    if key not in schemas:
        whole = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
        name = whole.lookup_class_name_from_uid(class_uid=event["class_uid"])
        schema = whole.get_class_schema(class_name=name, profiles=profiles)
        Draft202012Validator.check_schema(schema)
        schemas[key] = Draft202012Validator(schema)
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in schemas[key].iter_errors(event)]
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        errors.append("type_uid is not of class and activity")
    if event["class_uid"] // 1000 != event["category_uid"]:
        errors.append("class_uid is not of the category")
    if event["activity_id"] == 99 and not event.get("activity_name"):
        errors.append("another activity without its name")
    if errors:
        sys.exit(f"line {number}: {errors}\n{line}")
    counts[str(event["class_uid"])] += 1
print(json.dumps(counts))

"""moto's S3 server, which finds again what it had when it was killed.

    s3_server.py --port PORT --journal FILE --bucket NAME [--keys ID SECRET] [--tls CERTIFICATE KEY]

moto keeps everything in memory. Here each request that changes something is written to the journal before it is carried out, and the
journal is carried out again before anybody is listened to. With --keys each request has to be signed with that key; without, anybody
may do anything.
"""

import argparse
import base64
import io
import json
import os
import threading

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--journal", required=True)
parser.add_argument("--bucket", required=True)
parser.add_argument("--keys", nargs=2)
parser.add_argument("--tls", nargs=2)
asked = parser.parse_args()

from moto import settings  # noqa: E402
from moto.core import DEFAULT_ACCOUNT_ID  # noqa: E402
from moto.iam.models import iam_backends  # noqa: E402
from moto.s3.models import s3_backends  # noqa: E402
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import run_simple  # noqa: E402
from werkzeug.test import Client  # noqa: E402

POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'

moto = DomainDispatcherApplication(create_backend_app)
one_at_a_time = threading.Lock()


def with_journal(environ, start_response):
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        request = {
            "method": environ["REQUEST_METHOD"],
            "path": environ["RAW_URI"],
            "headers": {name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")},
            "type": environ.get("CONTENT_TYPE"),
            "body": base64.b64encode(body).decode(),
        }
        with one_at_a_time, open(asked.journal, "a") as journal:
            journal.write(json.dumps(request) + "\n")
    return moto(environ, start_response)


s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(asked.bucket, "us-east-1")
if asked.keys:
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    iam.create_user(None, "tester", "/", [])
    iam.put_user_policy("tester", "all", POLICY)
    key = iam.create_access_key("tester")
    key.access_key_id, key.secret_access_key = asked.keys
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0

if os.path.exists(asked.journal):
    again = Client(moto)
    with open(asked.journal) as journal:
        # One that was cut short was not answered.
        lines = [line for line in journal if line.endswith("\n")]
    for line in lines:
        request = json.loads(line)
        again.open(
            request["path"],
            method=request["method"],
            headers=request["headers"],
            content_type=request["type"],
            data=base64.b64decode(request["body"]),
        )
    with open(asked.journal, "w") as journal:
        journal.writelines(lines)

run_simple("127.0.0.1", asked.port, with_journal, threaded=True, ssl_context=tuple(asked.tls) if asked.tls else None)

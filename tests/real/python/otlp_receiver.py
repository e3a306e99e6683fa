"""Receives OTLP traces and metrics over HTTP, in JSON or protobuf, and reads them with the published message types.

Writes a line for each span to a file, and one for each point of a histogram to that file's name with `.metrics`. Says its URL in a line of standard output.
"""

import base64
import gzip
import http.server
import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


def read(message, kind, body):
    if kind == "application/x-protobuf":
        message.ParseFromString(body)
        return message
    document = json.loads(body)
    # OTLP's JSON has ids in hexadecimal, where protobuf's has base64.
    for resource in document.get("resourceSpans", []):
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    # Members that the messages do not have are an error.
    return json_format.ParseDict(document, message)


def write_spans(request, out):
    for resource in request.resource_spans:
        names = {a.key: a.value.string_value for a in resource.resource.attributes}
        assert names["service.name"] == "attest"
        for scope in resource.scope_spans:
            for span in scope.spans:
                assert len(span.trace_id) == 16 and len(span.span_id) == 8
                line = {
                    "trace": span.trace_id.hex(),
                    "id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "kind": Span.SpanKind.Name(span.kind),
                    "status": Status.StatusCode.Name(span.status.code),
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "attributes": {a.key: a.value.string_value for a in span.attributes},
                }
                out.write(json.dumps(line) + "\n")


def write_points(request, out):
    for resource in request.resource_metrics:
        names = {a.key: a.value.string_value for a in resource.resource.attributes}
        assert names["service.name"] == "attest"
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            for point in metric.histogram.data_points:
                assert len(point.bucket_counts) == len(point.explicit_bounds) + 1 and sum(point.bucket_counts) == point.count
                line = {
                    "name": metric.name,
                    "unit": metric.unit,
                    "temporality": metric.histogram.aggregation_temporality,
                    "count": point.count,
                    "sum": point.sum,
                    "bounds": list(point.explicit_bounds),
                    "attributes": {a.key: a.value.string_value for a in point.attributes},
                }
                out.write(json.dumps(line) + "\n")


PATHS = {
    "/v1/traces": (ExportTraceServiceRequest, write_spans, ""),
    "/v1/metrics": (ExportMetricsServiceRequest, write_points, ".metrics"),
}


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body, kind = self.rfile.read(int(self.headers["content-length"])), self.headers["content-type"]
        if self.headers["content-encoding"] == "gzip":
            body = gzip.decompress(body)
        if self.path not in PATHS or kind not in ("application/json", "application/x-protobuf"):
            self.send_error(404)
            return
        message, write, name = PATHS[self.path]
        with open(sys.argv[1] + name, "a") as out:
            write(read(message(), kind, body), out)
        self.send_response(200)
        said = b"{}" if kind == "application/json" else b""
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()

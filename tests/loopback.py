"""A small server for tests and benchmarks: TF Serving's gRPC and REST for one SavedModel.

It answers as `tensorflow_model_server` does where the client can tell, and is no replacement: it
has no batching, no versions and no limits.
"""

import base64
import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures

import numpy as np
import tensorflow as tf

from hmr_tf2.serving.remote import CHANNEL_OPTIONS

Signatures = Mapping[str, Callable[..., Mapping[str, tf.Tensor]]]


@contextlib.contextmanager
def grpc_server(signatures: Signatures, model_name: str = "hmr", threads: int = 2) -> Iterator:
    """Serves until the block ends; gives "localhost:port".

    Args:
        signatures: as of a loaded SavedModel.
        model_name: what clients must ask for.
        threads: requests answered at once.
    """
    import grpc
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):  # noqa: N802 (gRPC's name)
            spec = request.model_spec
            try:
                signature = _find(signatures, model_name, spec.name, spec.signature_name)
                outputs = signature(
                    **{name: tf.constant(tf.make_ndarray(value))
                       for name, value in request.inputs.items()}
                )  # fmt: skip
            except LookupError as error:
                context.abort(grpc.StatusCode.NOT_FOUND, str(error))
            except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error).splitlines()[0])
            answer = predict_pb2.PredictResponse(model_spec=spec)
            for name, value in outputs.items():
                answer.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
            return answer

    server = grpc.server(futures.ThreadPoolExecutor(threads), options=CHANNEL_OPTIONS)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(grace=None).wait()


@contextlib.contextmanager
def rest_server(signatures: Signatures, model_name: str = "hmr") -> Iterator:
    """The same by REST, in the column format (`inputs`, `outputs`)."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802 (http.server's name)
            try:
                name = self.path.removeprefix("/v1/models/").removesuffix(":predict")
                length = int(self.headers["Content-Length"])
                status, content = 200, _answer(name, json.loads(self.rfile.read(length)))
            except LookupError as error:
                status, content = 404, {"error": str(error)}
            except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
                status, content = 400, {"error": str(error).splitlines()[0]}
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it hung up
                self.wfile.write(body)

        def log_message(self, *args):
            """Silent."""

    def _answer(name, content):
        signature = _find(signatures, model_name, name, content.get("signature_name", ""))
        inputs = {key: tf.constant(_from_json(value)) for key, value in content["inputs"].items()}
        outputs = {key: value.numpy().tolist() for key, value in signature(**inputs).items()}
        # Of an only output the name is left out.
        return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}

    server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _find(signatures, model_name, asked, signature_name):
    if asked != model_name:
        raise LookupError(f"Servable not found for request: Latest({asked})")
    signature_name = signature_name or "serving_default"
    if signature_name not in signatures:
        raise ValueError(f'Serving signature key "{signature_name}" not found.')
    return signatures[signature_name]


def _from_json(value):
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return np.array([base64.b64decode(item["b64"]) for item in value], object)
    return np.array(value, np.float32)

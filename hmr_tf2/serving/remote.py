"""Calls a model on TF Serving, or on a server with the same interface, by gRPC or REST.

Both kinds of caller take and return arrays: `call(signature, inputs) -> outputs`.
"""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]
Caller = Callable[[str, Arrays], dict[str, np.ndarray]]
# A message holds a batch of crops, 0.6 MB each, or of bodies; gRPC's default limit is 4 MB.
CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1),
)  # fmt: skip


class RefusedError(ValueError):
    """The server has the model, but the model lacks the signature or refuses the inputs."""


def grpc_caller(server: str, model_name: str, deadline: float) -> Caller:
    """Calls `PredictionService.Predict` (TF Serving's port 8500).

    Args:
        server: host:port.
        model_name: the name in the server's configuration.
        deadline: seconds that an answer may take.

    The caller raises OSError if nobody answers in time, ValueError if the server has no such
    model, and RefusedError if the model has no such signature or refuses the inputs.
    """
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    channel = grpc.insecure_channel(server, options=CHANNEL_OPTIONS)
    service = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def call(signature, inputs):
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model_name, signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        try:
            outputs = service.Predict(request, timeout=deadline).outputs
        except grpc.RpcError as error:
            raise _grpc_error(error, grpc.StatusCode, server, model_name, deadline) from error
        return {name: tf.make_ndarray(value) for name, value in outputs.items()}

    return call


def rest_caller(server: str, model_name: str, deadline: float) -> Caller:
    """Posts to `/v1/models/<model_name>:predict` (TF Serving's port 8501).

    Arguments and errors are those of `grpc_caller`. Numbers come back as float64, int64 or bool.
    """
    url = f"http://{server}/v1/models/{model_name}:predict"

    def call(signature, inputs):
        content = {
            "signature_name": signature,
            "inputs": {name: _as_json(value) for name, value in inputs.items()},
        }
        request = urllib.request.Request(
            url, json.dumps(content).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=deadline) as answer:
                outputs = json.load(answer)["outputs"]
        except urllib.error.HTTPError as error:
            raise _http_error(error, server, model_name) from error
        except TimeoutError as error:
            raise _too_late(server, deadline) from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise _too_late(server, deadline) from error
            raise _unreachable(server, error.reason) from error
        except http.client.RemoteDisconnected as error:
            raise _unreachable(server, error) from error
        except http.client.BadStatusLine as error:
            raise ValueError(
                f"--server={server} does not speak HTTP. Its default port for REST is 8501, for "
                "gRPC 8500."
            ) from error
        except http.client.HTTPException as error:
            raise _unreachable(server, "it broke off its answer") from error
        except OSError as error:
            raise _unreachable(server, error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"--server={server} does not answer with TF Serving's JSON. Its default port for "
                "REST is 8501, for gRPC 8500."
            ) from error
        if not isinstance(outputs, dict):
            raise ValueError(f"{model_name} at {server} has only one output: is it another model?")
        return {name: np.array(value) for name, value in outputs.items()}

    return call


def _as_json(value):
    value = np.asarray(value)
    if value.dtype.kind in "SO":  # bytes
        return [{"b64": base64.b64encode(item).decode()} for item in value.tolist()]
    return value.tolist()


def _grpc_error(error, code, server, model_name, deadline) -> Exception:
    if error.code() == code.DEADLINE_EXCEEDED:
        return _too_late(server, deadline)
    if error.code() == code.NOT_FOUND:
        return _no_model(server, model_name, error.details())
    if error.code() in (code.INVALID_ARGUMENT, code.FAILED_PRECONDITION):
        return RefusedError(f"{model_name} at {server} refuses the request: {error.details()}")
    return _unreachable(server, f"{error.code().name}: {error.details()}")


def _http_error(error, server, model_name) -> Exception:
    try:
        reason = json.load(error)["error"]
    except (ValueError, KeyError, TypeError, OSError):
        reason = error.reason
    if error.code == 404:
        return _no_model(server, model_name, reason)
    if error.code >= 500:
        return _unreachable(server, f"HTTP status {error.code}: {reason}")
    return RefusedError(
        f"{model_name} at {server} refuses the request, HTTP status {error.code}: {reason}"
    )


def _no_model(server, model_name, reason) -> ValueError:
    return ValueError(f"The server {server} has no model --model_name={model_name}: {reason}")


def _too_late(server, deadline) -> OSError:
    return TimeoutError(
        f"{server} did not answer within --deadline={deadline:g} seconds. The first request after "
        "a start without warm-up takes the longest."
    )


def _unreachable(server, reason) -> OSError:
    return ConnectionError(
        f"No answer from --server={server} ({reason}). TF Serving's default port is 8500 for "
        "--protocol=grpc and 8501 for --protocol=rest."
    )

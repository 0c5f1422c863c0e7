"""The OpenAPI document of `/api` and what stands beside it for programs. Pure; the endpoints are in predict_api.py and
api_endpoints.py."""

from __future__ import annotations

from typing import Any

from freeal.spec.model_name import NAME_PATTERN

MOST_ROWS = 1_000
MOST_TEXT_CHARACTERS = 20_000
MOST_BODY_BYTES = 24_000_000

_TEXT = {"type": "string", "maxLength": MOST_TEXT_CHARACTERS}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1.000001}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "what is wrong, and what to do"}},
}
_MODEL = {
    "type": "object",
    "required": ["name", "version", "labels", "text_columns"],
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "labels": {"type": "array", "items": {"type": "string"}},
        "text_columns": {"type": "array", "items": {"type": "string"}},
    },
}
_PREDICTION = {
    "type": "object",
    "required": ["label", "confidence", "probabilities", "status"],
    "properties": {
        "label": {
            "type": ["string", "null"],
            "description": "null where the row has no text, or the model is less sure than its promise takes",
        },
        "confidence": {"oneOf": [_SHARE, {"type": "null"}], "description": "probability of the likeliest label"},
        "labels": {
            "type": "array",
            "items": {"type": "string"},
            "description": "only of a model with `kind: multi`, whose `label` is the same joined by `;`",
        },
        "node": {
            "type": ["string", "null"],
            "description": "only of a model with `kind: tree`: the deepest node that is as probable as `back_off` asks",
        },
        "node_confidence": {"oneOf": [_SHARE, {"type": "null"}], "description": "probability of that node"},
        "probabilities": {"type": "object", "additionalProperties": _SHARE},
        "status": {"enum": ["ok", "empty_text", "below_promise", "student_truncated"]},
    },
}
_REQUEST = {
    "oneOf": [
        {
            "type": "object",
            "title": "texts, for a model that reads one column",
            "required": ["texts"],
            "additionalProperties": False,
            "properties": {"texts": {"type": "array", "minItems": 1, "maxItems": MOST_ROWS, "items": _TEXT}},
            "example": {"texts": ["It broke after a week."]},
        },
        {
            "type": "object",
            "title": "records, with a value for each text column of the model",
            "required": ["records"],
            "additionalProperties": False,
            "properties": {
                "records": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MOST_ROWS,
                    "items": {"type": "object", "additionalProperties": _TEXT},
                }
            },
            "example": {"records": [{"text": "It broke after a week."}]},
        },
    ]
}
_REFUSALS = {
    400: "the body is no JSON",
    403: "you may not act: a token is needed, or the page is for looking only",
    404: "there is no such model, or it has no finished version",
    409: "what was sent does not fit this model, which reads other columns; or its folder cannot be used",
    413: f"the body is larger than {MOST_BODY_BYTES // 1_000_000} MB",
    415: "the body is not called JSON",
    422: "the JSON is not what is expected; which part is said",
    503: "other requests wait already; see Retry-After",
}


def api_document(*, has_token: bool) -> dict[str, Any]:
    """OpenAPI 3.1. With a token set, what acts asks for it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "FreeAL",
            "version": "1",
            "description": "Labels for texts from the models of this service, and how the service is.",
        },
        "paths": {
            "/api/models": {"get": _reading("listModels", "The models that have a finished version", _listed())},
            "/api/models/{name}/predict": {"post": _predict_operation(has_token=has_token)},
            "/api/status": {"get": _reading("status", "What `python -m daemon status --json` prints", _object())},
            "/healthz": {"get": _health_operation()},
            "/metrics": {"get": _metrics_operation()},
        },
        "components": {
            "schemas": {"Error": _ERROR, "Model": _MODEL, "Prediction": _PREDICTION, "PredictRequest": _REQUEST},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _predict_operation(*, has_token: bool) -> dict[str, Any]:
    found = {
        "type": "object",
        "required": ["model", "version", "labels", "predictions"],
        "properties": {
            "model": {"type": "string"},
            "version": {"type": "string", "description": "which version answered"},
            "labels": {"type": "array", "items": {"type": "string"}},
            "predictions": {
                "type": "array",
                "description": "one per row, in order",
                "items": {"$ref": "#/components/schemas/Prediction"},
            },
        },
    }
    refusals = {
        str(status): _answer(text, {"$ref": "#/components/schemas/Error"}) for status, text in _REFUSALS.items()
    }
    name = {"name": "name", "in": "path", "required": True, "description": "of the model"}
    return {
        "operationId": "predict",
        "summary": "Label texts or records",
        "parameters": [{**name, "schema": {"type": "string", "pattern": NAME_PATTERN}}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PredictRequest"}}},
        },
        "responses": {"200": _answer("labels and probabilities", found), **refusals},
        "security": [{"token": []}] if has_token else [],
    }


def _listed() -> dict[str, Any]:
    models = {"type": "array", "items": {"$ref": "#/components/schemas/Model"}}
    return {"type": "object", "required": ["models"], "properties": {"models": models}}


def _object() -> dict[str, Any]:
    return {"type": "object", "required": ["healthy"]}


def _health_operation() -> dict[str, Any]:
    found = {
        "type": "object",
        "required": ["healthy", "problems"],
        "properties": {"healthy": {"type": "boolean"}, "problems": {"type": "array", "items": {"type": "string"}}},
    }
    answers = {"200": _answer("all is well", found), "503": _answer("something is wrong; what, stands in it", found)}
    return {"operationId": "health", "summary": "Whether the service does what it should", "responses": answers}


def _metrics_operation() -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}}}
    answers = {"200": {"description": "for Prometheus", "content": content}}
    return {"operationId": "metrics", "summary": "All numbers", "responses": answers}


def _reading(identity: str, summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": identity, "summary": summary, "responses": {"200": _answer(summary, schema)}}


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}

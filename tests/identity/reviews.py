"""Whom an API server takes a bearer for, asked without anything else."""

import asyncio
import http.client
import json
import ssl
from urllib.parse import urlsplit

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


class Reviewer:
    """``await accepts(token)``: whether the server at ``url`` knows the bearer."""

    def __init__(self, url, ca):
        self._host = urlsplit(url).netloc
        self._context = ssl.create_default_context(cafile=str(ca))

    async def __call__(self, token):
        return await asyncio.to_thread(self._ask, token) == 201

    def _ask(self, token):
        connection = http.client.HTTPSConnection(self._host, context=self._context, timeout=60)
        try:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            connection.request("POST", REVIEWS, json.dumps(REVIEW), headers)
            return connection.getresponse().status
        finally:
            connection.close()

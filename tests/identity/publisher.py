"""An issuer whose keys a test adds and removes."""

import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwk

from kraut_cli.oidc.forgeries import key_id, sign

MAX_AGE_SECONDS = 10


class Publisher:
    """An issuer whose keys the test adds and removes: two documents over TLS, nothing else."""

    def __init__(self, pair):
        self.keys = []
        self.tokens = 0
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(publisher.documents()[self.path]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", f"public, max-age={MAX_AGE_SECONDS}")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.issuer = f"https://localhost:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def documents(self):
        discovery = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return {"/.well-known/openid-configuration": discovery, "/jwks": {"keys": self.keys}}

    def token(self, key, subject, audience):
        """A token of the issuer, another one with each call."""
        now, self.tokens = int(time.time()), self.tokens + 1
        claims = {"iss": self.issuer, "sub": subject, "aud": [audience], "iat": now, "nbf": now, "exp": now + 3600}
        return sign(key, {"kid": key_id(key), "typ": "JWT"}, {**claims, "jti": str(self.tokens)})

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def public_jwk(private, public):
    """The key of a pair of files as the issuer publishes it."""
    kid = key_id(load_pem_private_key(private.read_bytes(), None))
    return {
        **jwk.import_key(public.read_text(), "RSA").as_dict(private=False),
        "kid": kid,
        "alg": "RS256",
        "use": "sig",
    }

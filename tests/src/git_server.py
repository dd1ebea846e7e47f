"""A git server of HTTP for tests: `git http-backend` behind Python's own server. The first part of a path says how it behaves.

It prints its port, and ends when its stdin does.
"""

import base64
import http.server
import os
import ssl
import subprocess
import sys
import threading
import time

ROOT, CERTIFICATE, LOG = sys.argv[1:4]
PROOF = "Basic " + base64.b64encode("ada:s€cret/@".encode()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        with open(LOG, "a") as log:
            log.write(f"{self.requestline} {self.headers.get('Authorization', '-')}\n")

    def say(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, query = self.path.partition("?")
        _, kind, rest = path.split("/", 2)
        if kind == "stall":
            time.sleep(3600)
        if kind == "private" and self.headers.get("Authorization") != PROOF:
            return self.say(401, [("WWW-Authenticate", 'Basic realm="test"')])
        if kind == "marked" and self.headers.get("X-Mark") != "yes":
            return self.say(401, [("WWW-Authenticate", "Bearer")])
        if kind == "forbidden":
            return self.say(403)
        if kind == "busy":
            return self.say(503)
        if kind == "page":
            return self.say(200, [("Content-Type", "text/html")], b"<html>hello</html>")
        if kind == "moved":
            return self.say(301, [("Location", f"/private/{rest}?{query}")])
        if kind == "elsewhere":
            return self.say(302, [("Location", "/page/login")])
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROJECT_ROOT": ROOT,
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "ada",
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": f"/{rest}",
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = [value for name, value in headers if name == "Status"]
        headers = [(name, value) for name, value in headers if name not in ("Status", "Content-Length")]
        self.say(int(status[0].split()[0]) if status else 200, headers, content)

    do_GET = do_POST = answer


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if CERTIFICATE:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()

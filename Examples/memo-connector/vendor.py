#!/usr/bin/env python3
"""The memo connector's vendor: keeps memos in memory, one per key. `vendor.py [PORT]` prints its address."""
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "memo-token-for-trials"
memos = []
lock = threading.Lock()


class Memos(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def allowed(self):
        if self.headers.get("authorization") == "Bearer " + TOKEN:
            return True
        self.answer(401, {"error": "unauthorized"})
        return False

    def do_GET(self):
        if not self.allowed():
            return
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        with lock:
            if url.path == "/health":
                self.answer(200, {"version": "1"})
            elif url.path == "/memos" and "key" in query:
                self.answer(200, {"memos": [m for m in memos if m["key"] == query["key"]], "last": True})
            elif url.path == "/memos":
                after, limit = query.get("after", "0"), query.get("limit", "50")
                if not (after.isdigit() and limit.isdigit()):
                    self.answer(400, {"error": "after and limit are numbers"})
                    return
                rest = [m for m in memos if int(m["id"]) > int(after)]
                page = rest[: int(limit)]
                self.answer(200, {"memos": page, "last": len(page) == len(rest)})
            else:
                found = [m for m in memos if url.path == "/memos/" + m["id"]]
                self.answer(200, found[0]) if found else self.answer(404, {"error": "no such memo"})

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("content-length", "0")))
        if not self.allowed():
            return
        try:
            body = json.loads(data)
            key, memo = body["key"], body["memo"]
        except (ValueError, KeyError, TypeError):
            self.answer(400, {"error": "key and memo are missing"})
            return
        with lock:
            for old in memos:
                if old["key"] == key:
                    self.answer(200, {"id": old["id"]})
                    return
            memos.append({"id": str(len(memos) + 1), "key": key, "memo": memo})
            self.answer(201, {"id": memos[-1]["id"]})

    def log_message(self, *words):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Memos)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()

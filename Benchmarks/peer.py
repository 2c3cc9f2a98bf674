"""The same job as a Python script would do it: one HTTP session per thread, a durable cursor after every page.

    peer.py URL CONCURRENCY FILE [--requests]

Uses the `requests` library with --requests, else the standard library's http.client.
"""

import hashlib
import http.client
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

ACCOUNTS = {
    "差旅费": "6602.01",
    "业务招待费": "6602.02",
    "办公费": "6602.03",
    "市内交通费": "6602.04",
    "通讯费": "6602.05",
}
DEPARTMENTS = {"1001": "BM001", "1002": "BM002", "1003": "BM003", "1004": "BM004"}


def voucher(document):
    """The same voucher as the mapping of the datong row makes."""
    values = {field["name"]: field["value"] for field in document["formComponentValues"]}
    lines = []
    for row in json.loads(values["费用明细"]):
        cell = {entry["label"]: entry["value"] for entry in row["rowValue"]}
        lines.append(
            {
                "summary": cell["摘要"],
                "account": ACCOUNTS[cell["费用类型"]],
                "dimensions": {"department": DEPARTMENTS[document["originatorDeptId"]]},
                "currency": "CNY",
                "rate": "1",
                "debit": cell["金额"],
                "credit": "0",
            }
        )
    lines.append(
        {
            "summary": "付" + document["originatorName"] + "报销款",
            "account": "1002.01",
            "currency": "CNY",
            "rate": "1",
            "debit": "0",
            "credit": values["总金额"],
        }
    )
    return {
        "book": "001",
        "date": document["finishTime"][:10],
        "business_date": document["finishTime"][:10],
        "group": "记",
        "attachment_count": len(document["attachments"]),
        "reference": document["businessId"],
        "summary": document["originatorName"] + "报销" + values["报销事由"],
        "lines": lines,
        "source": {"document": "approval", "id": document["instanceId"], "number": document["businessId"]},
    }


class Plain:
    """http.client with one kept connection per thread."""

    def __init__(self, base):
        parts = urlsplit(base)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port)

    def ask(self, method, path, body=None, headers=None):
        self.connection.request(method, "/" + path, body, headers or {})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        return json.loads(text)


class Requests:
    """requests with one session per thread."""

    def __init__(self, base):
        import requests

        self.base = base
        self.session = requests.Session()

    def ask(self, method, path, body=None, headers=None):
        answer = self.session.request(method, self.base + path, data=body, headers=headers)
        answer.raise_for_status()
        return answer.json()


def main():
    base, places, file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    kind = Requests if "--requests" in sys.argv else Plain
    local = threading.local()

    def client():
        if not hasattr(local, "client"):
            local.client = kind(base)
        return local.client

    def deliver(document):
        key = hashlib.sha256(document["instanceId"].encode()).hexdigest()[:32]
        body = json.dumps(voucher(document), ensure_ascii=False).encode()
        answer = client().ask(
            "POST", "vouchers", body, {"Content-Type": "application/json", "Idempotency-Key": key}
        )
        return answer["number"]

    def remember(cursor):
        with open(file + ".new", "w") as out:
            out.write(cursor)
            out.flush()
            os.fsync(out.fileno())
        os.replace(file + ".new", file)

    cursor = "0"
    with ThreadPoolExecutor(places) as pool:
        while True:
            page = client().ask("GET", "approvals?cursor=" + cursor)
            list(pool.map(deliver, page["list"]) if places > 1 else map(deliver, page["list"]))
            cursor = page["next"]
            remember(cursor)
            if not page["has_more"]:
                return


main()

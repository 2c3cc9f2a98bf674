#!/usr/bin/env python3
"""S1 on the simulators: approvals become vouchers, with a kill -9 in the middle, and each exactly once.

Standard library only. Everything happens in a temporary folder and on free loopback ports; only processes that this
script started are ended. The exit status is 0 only if the simulator's own books and the ledger add up.
"""

import argparse
import collections
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unicodedata
import urllib.request
from decimal import Decimal

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FLOW = "expense-voucher"
MISSING_TYPE = "无人机租赁费"

# How long the whole may take before it is called stuck, seconds.
PATIENCE = 300


class Failed(Exception):
    """What went wrong, in both languages."""


class Demo:
    def __init__(self, options):
        self.options = options
        self.bin = os.path.abspath(options.bin)
        self.folder = tempfile.mkdtemp(prefix="datong-demo-")
        self.workspace = os.path.join(self.folder, "workspace")
        self.children = []
        self.host = None
        self.urls = {}
        self.step_number = 0
        self.began = time.monotonic()

    # -- telling

    def step(self, zh, en):
        self.step_number += 1
        seconds = time.monotonic() - self.began
        print(f"\n[{self.step_number}] {zh} · {en}  ({seconds:.0f} s)", flush=True)

    def say(self, text):
        print("    " + text, flush=True)

    def progress(self, text, last):
        """One line that is written over on a terminal; elsewhere a line every few seconds."""
        now = time.monotonic()
        if sys.stdout.isatty():
            print("\r\033[K    " + text, end="", flush=True)
        elif now - last < 3:
            return last
        else:
            print("    " + text, flush=True)
        return now

    def progress_done(self, text):
        if sys.stdout.isatty():
            print("\r\033[K", end="")
        self.say(text)

    # -- processes

    def start(self, name, arguments):
        log = open(os.path.join(self.folder, name + ".log"), "ab")
        child = subprocess.Popen(
            [os.path.join(self.bin, arguments[0])] + arguments[1:], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            cwd=self.folder, start_new_session=True)
        log.close()
        self.children.append(child)
        return child

    def datong(self, *arguments, stdin=None, accept=(0,)):
        """Runs one command of datong; returns its standard output."""
        done = subprocess.run(
            [os.path.join(self.bin, "datong"), "-w", self.workspace, "--lang", "zh"] + list(arguments),
            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
        if done.returncode not in accept:
            raise Failed(
                f"datong {' '.join(arguments)} 以 {done.returncode} 结束 · ended with {done.returncode}\n"
                + done.stderr.decode() + done.stdout.decode())
        return done.stdout.decode()

    def datong_json(self, *arguments, accept=(0, 3)):
        return json.loads(self.datong("--json", *arguments, accept=accept))

    def clean_up(self):
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
        for child in reversed(self.children):
            try:
                child.wait(timeout=15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if self.options.keep:
            print(f"\n保留 · kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- the simulators

    def ask(self, vendor, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.urls[vendor] + path, data=data, method="GET" if body is None else "POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def vouchers(self):
        return self.ask("kingdee", "/_sim/totals")["count"]

    # -- waiting

    def counts(self):
        for flow in self.datong_json("status")["flows"]:
            if flow["name"] == FLOW:
                return flow
        raise Failed("status 中没有流程 · the flow is not in status")

    def wait_for_host(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.host.poll() is not None:
                raise Failed("主机意外结束 · the host ended:\n" + self.log_tail("host"))
            # Not by a command: while no host runs, a command owns the workspace itself for a moment.
            with socket.socket(socket.AF_UNIX) as control:
                try:
                    control.connect(os.path.join(self.workspace, "state/control.sock"))
                    return
                except OSError:
                    time.sleep(0.2)
        raise Failed("主机没有就绪 · the host did not get ready:\n" + self.log_tail("host"))

    def log_tail(self, name):
        with open(os.path.join(self.folder, name + ".log"), encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-15:])

    def drain(self, expected):
        """Waits until every approval has been read and none of it, nor of its comments, is under way."""
        end = time.monotonic() + PATIENCE
        last = 0.0
        while time.monotonic() < end:
            if self.host.poll() is not None:
                raise Failed("主机意外结束 · the host ended:\n" + self.log_tail("host"))
            flow = self.counts()
            five = flow["counts"]
            back = flow.get("write_back", {"pending": 0, "checking": 0})
            text = (f"已读 {five['read']}  成功 {five['done']}  跳过 {five['skipped']}  待处理 {five['pending']}  "
                    f"需人工 {five['held']}  核对中 {five['checking']}  已回写 {back.get('done', 0)}")
            if five["read"] >= expected and not (
                    five["pending"] or five["checking"] or back["pending"] or back["checking"]):
                self.progress_done(text)
                return flow
            last = self.progress(text, last)
            time.sleep(1)
        raise Failed(f"{PATIENCE} 秒内没有做完 · not done within {PATIENCE} s")

    # -- the story

    def run(self):
        self.prepare()
        made = self.approvals()
        self.crash()
        flow = self.again()
        right = self.reckon(flow, made, fixed=False)
        if right and self.options.missing:
            self.repair()
            flow = self.drain(self.options.approvals)
            right = self.reckon(flow, made, fixed=True)
        seconds = time.monotonic() - self.began
        if not right:
            print(f"\n✗ 账对不上 · the books do not add up  ({seconds:.0f} s)")
            return 1
        print(f"\n✓ 每张审批恰好一张凭证,用时 {seconds:.0f} 秒 · one voucher per approval, exactly, in {seconds:.0f} s")
        return 0

    def prepare(self):
        self.step("启动模拟器:钉钉与金蝶云星空", "start the simulators: DingTalk and Kingdee Galaxy")
        credentials_file = os.path.join(self.folder, "credentials.json")
        simulators = self.start("simulators", [
            "datong-simulator", "dingtalk", "kingdee", "--seed", str(self.options.seed),
            # The vendor's own memory of repeated packages is switched off: it must not hide a voucher sent twice.
            "--set", "kingdee.repeat_ms=0", "--credentials-out", credentials_file])
        end = time.monotonic() + 60
        while len(self.urls) < 2:
            if simulators.poll() is not None or time.monotonic() > end:
                raise Failed("模拟器没有启动 · the simulators did not start:\n" + self.log_tail("simulators"))
            time.sleep(0.1)
            with open(os.path.join(self.folder, "simulators.log"), encoding="utf-8") as log:
                for line in log:
                    if line.startswith("{") and line.endswith("}\n"):
                        entry = json.loads(line)
                        self.urls[entry["simulator"]] = entry["url"]
        for vendor, url in sorted(self.urls.items()):
            self.say(f"{vendor:9} {url}")

        self.step("准备练习工作区和保险库", "a practice workspace and its vault")
        self.make_workspace()
        self.datong("vault", "init")
        with open(credentials_file, encoding="utf-8") as file:
            credentials = json.load(file)
        for name, vendor, key in [("dingtalk/app-key", "dingtalk", "app_key"),
                                  ("dingtalk/app-secret", "dingtalk", "app_secret"),
                                  ("kingdee/app-id", "kingdee", "app_id"),
                                  ("kingdee/app-secret", "kingdee", "app_secret")]:
            self.datong("vault", "put", name, "--stdin", stdin=credentials[vendor][key].encode())
            self.say(f"datong vault put {name} --stdin")
        os.unlink(credentials_file)
        self.datong("apply", "--yes")
        self.say("datong apply: 校验草稿,冻结为版本 1 · the draft is checked and frozen as revision 1")

        self.step("启动主机 datong run", "start the host")
        self.host = self.start("host", ["datong", "run", "-w", self.workspace])
        self.wait_for_host()
        self.say(f"pid {self.host.pid}")

    def make_workspace(self):
        """The example's draft, with the simulators' addresses, the vendors' full rate, and waits short enough to watch."""
        shutil.copytree(os.path.join(ROOT, "Examples/expense-voucher"), self.workspace)

        def edit(path, *changes):
            path = os.path.join(self.workspace, path)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for pattern, replacement in changes:
                text, count = re.subn(pattern, lambda _: replacement, text, flags=re.M)
                if count == 0:
                    raise Failed(f"{path}: {pattern} 没有出现 · is not there")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

        key = os.path.join(self.folder, "keys/demo.key")
        edit("datong.yaml", (r"key_file: [^ }]+", "key_file: " + key))
        edit("connections/dingtalk.yaml", (r"http://127\.0\.0\.1:8701", self.urls["dingtalk"]),
             (r"^secrets:", "commit_horizon: 3s\nsecrets:"))
        edit("connections/kingdee.yaml", (r"http://127\.0\.0\.1:8702", self.urls["kingdee"]),
             (r"^limits: .*$", "limits: { per_second: 50, concurrency: 4 }\ncommit_horizon: 3s"))
        edit(f"flows/{FLOW}.yaml", (r"ladder: \[.*\]", "ladder: [1s, 2s, 5s, 10s]"))

    def approvals(self):
        options = self.options
        self.step(f"员工提交 {options.approvals} 张报销,钉钉经 Stream 推送",
                  f"{options.approvals} expense claims, pushed over Stream")
        # Plan the trouble first: answers that are lost after the voucher was saved, and one that is saved late.
        for nth in options.lost:
            self.ask("kingdee", "/_sim/faults", {"match": "save", "kind": "loseAnswerAfterCommit", "nth": nth})
        self.ask("kingdee", "/_sim/faults", {"match": "save", "kind": "commitLate", "ms": 1500, "nth": options.late})
        made = self.ask("dingtalk", "/_sim/approvals/generate", {
            "count": options.approvals, "rejected": options.rejected, "missing_code": options.missing,
            "push": True, "interval_ms": 30})["created"]
        agreed = [one for one in made if one["result"] == "agree"]
        self.say(f"同意 agreed {len(agreed)}(其中费用类型“{MISSING_TYPE}”缺科目 without an account {options.missing})"
                 f"  拒绝 refused {len(made) - len(agreed)}")
        self.say(f"途中:金蝶保存后 {len(options.lost)} 次不答复,1 次晚到 · on the way: {len(options.lost)} answers lost after"
                 " the save, 1 save comes late")
        return made

    def crash(self):
        want = self.options.crash_at
        self.step(f"账上有 {want} 张凭证时,kill -9 主机", f"kill -9 the host when {want} vouchers are in the books")
        end = time.monotonic() + PATIENCE
        last = 0.0
        while True:
            count = self.vouchers()
            if count >= want:
                break
            if time.monotonic() > end:
                raise Failed("凭证太慢 · the vouchers are too slow:\n" + self.log_tail("host"))
            if self.host.poll() is not None:
                raise Failed("主机意外结束 · the host ended:\n" + self.log_tail("host"))
            last = self.progress(f"金蝶账上 {count} 张 · {count} vouchers in the books", last)
            time.sleep(0.02)
        self.host.send_signal(signal.SIGKILL)
        self.host.wait()
        self.progress_done(f"kill -9 {self.host.pid}:账上 {self.vouchers()} 张,主机没有机会收尾 · the host had no chance to tidy up")
        time.sleep(1)

    def again(self):
        self.step("再次启动,直到没有待处理和核对中", "start again, until nothing is pending or checking")
        self.host = self.start("host", ["datong", "run", "-w", self.workspace])
        self.wait_for_host()
        return self.drain(self.options.approvals)

    def repair(self):
        self.step("财务在码表补一行,datong apply,datong ledger retry", "finance adds the missing row of the code table")
        row = f"{MISSING_TYPE},6602.06,管理费用_其他\n"
        with open(os.path.join(self.workspace, "tables/expense-accounts.csv"), "a", encoding="utf-8") as table:
            table.write(row)
        self.say("tables/expense-accounts.csv += " + row.strip())
        for line in self.datong("apply", "--yes").splitlines():
            self.say(line)
        for line in self.datong("ledger", "retry", "--flow", FLOW).splitlines():
            self.say(line)

    # -- the reckoning

    def reckon(self, flow, made, fixed):
        """Compares the simulators' own books, the ledger and what was filed; prints the table."""
        options = self.options
        books = self.ask("kingdee", "/_sim/books")
        source = self.ask("dingtalk", "/_sim/books")
        held = self.datong_json("ledger", "list", "--flow", FLOW, "--state", "held")["items"]
        agreed = [one for one in made if one["result"] == "agree"]
        wanted = agreed if fixed else [one for one in agreed if not one["missing_code"]]
        five = flow["counts"]
        back = flow.get("write_back", {})

        lines = [line for voucher in books["vouchers"] for line in voucher["lines"]]
        debits = sum(Decimal(line["debit"]) for line in lines)
        credits = sum(Decimal(line["credit"]) for line in lines)
        amounts = collections.Counter(Decimal(one["amount"]) for one in wanted)
        entered = collections.Counter(Decimal(voucher["debits"]) for voucher in books["vouchers"])
        doubled = books["totals"]["doubled_ext_ids"]
        total = sum(Decimal(one["amount"]) for one in wanted)
        held_wanted = 0 if fixed else options.missing

        self.step("对账:金蝶模拟器自己的账 ⟷ datong 的账本 ⟷ 提交的审批",
                  "the simulator's own books ⟷ the ledger ⟷ what was filed")
        rows = [
            ("凭证(金蝶的账)", "vouchers in the books", len(books["vouchers"]), len(wanted)),
            ("重复的凭证", "vouchers entered twice", len(doubled), 0),
            ("成功(账本)", "done, by the ledger", five["done"], len(wanted)),
            ("跳过:被拒绝的审批", "skipped: refused claims", five["skipped"], len(made) - len(agreed)),
            ("需人工", "held for a person", five["held"], held_wanted),
            ("待处理 + 核对中", "pending + checking", five["pending"] + five["checking"], 0),
            ("已读", "read", five["read"], len(made)),
            ("借方合计", "sum of debits", debits, total),
            ("贷方合计", "sum of credits", credits, total),
            ("金额没有对上审批的凭证", "vouchers without their claim", sum((entered - amounts).values()), 0),
            ("已回写为审批评论", "comments on the claims", source["comments"], len(wanted)),
            ("回写(账本)", "written back, by the ledger", back.get("done", 0), len(wanted)),
        ]
        right = True
        print()
        print("    " + pad("", 52) + "         实际         应为")
        for zh, en, seen, expected in rows:
            good = seen == expected
            right = right and good
            print(f"    {pad(zh + ' · ' + en, 52)} {seen!s:>12} {expected!s:>12}  {'✓' if good else '✗'}")
        if doubled:
            print("    重复 · doubled: " + ", ".join(doubled))
        if held:
            cause = held[0].get("cause") or {}
            print()
            self.say(f"需人工 {len(held)} 张,原因 · {len(held)} held, because:")
            self.say(f"  {cause.get('code', '')} {cause.get('zh', '')}")
            self.say(f"  → {cause.get('next_zh', '')}")
            self.say(f"  {cause.get('en', '')}")
            self.say(f"  → {cause.get('next_en', '')}")
            self.say(f"    datong apply && datong ledger retry --flow {FLOW}")
        faults = self.ask("kingdee", "/_sim/faults")
        struck = sum(one["struck"] for one in faults) if isinstance(faults, list) else 0
        self.say(f"发生的故障 · faults that struck: {struck}")
        return right and struck == len(options.lost) + 1


def pad(text, width):
    """Pads to a width on the screen: a Chinese character takes two places."""
    seen = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    return text + " " * max(width - seen, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of datong, datong-worker and datong-simulator")
    parser.add_argument("--approvals", type=int, default=200)
    parser.add_argument("--rejected", type=int, default=20)
    parser.add_argument("--missing", type=int, default=5, help="claims whose type has no account yet")
    parser.add_argument("--crash-at", type=int, default=80, help="vouchers in the books when the host is killed")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    options = parser.parse_args()
    options.lost = [20, 60, 110]
    options.late = 40

    for program in ["datong", "datong-simulator", "datong-worker"]:
        if not os.access(os.path.join(options.bin, program), os.X_OK):
            print(f"{options.bin}/{program} 不存在,先运行 make build · is missing: make build", file=sys.stderr)
            return 1

    def stop(_signal, _frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    demo = Demo(options)
    try:
        return demo.run()
    except KeyboardInterrupt:
        print("\n中断 · interrupted", file=sys.stderr)
        return 130
    except Failed as failure:
        demo.options.keep = True
        print(f"\n✗ {failure}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        demo.clean_up()


if __name__ == "__main__":
    sys.exit(main())

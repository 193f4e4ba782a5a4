#!/usr/bin/env python3
"""Throws hostile bytes at a running registrar: damaged, pipelined and split requests, WebSocket frames, aborted connections.

The server must go on answering (no hang, no crash), must never answer 500, must answer a good pipeline with exactly the
statuses it deserves (so nothing in a body is taken for a request), and with --valgrind must touch no memory that it may not.
Exits with 1 at the first violation, with the bytes in findings/. The same --seed gives the same cases.
"""

import argparse
import base64
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
APP = "fuzz.example"
USER = "00mmkyz9poxfflry75hh17erc"
HASH = "d4247a0cbd3f7690188b62d61037c4b37570d008bf558d50f31e2b890dbd46c6"
ANSWER_SECONDS = 30


class Violation(Exception):
    """What the server must not do."""


class Server:
    """A real `registrar serve` on a free port."""

    def __init__(self, program, with_valgrind):
        self.folder = tempfile.mkdtemp(prefix="fuzz-server-", dir="/tmp")
        # Started as root, the registrar runs Postgres as another user, who must get through.
        os.chmod(self.folder, 0o755)
        self.log = open(os.path.join(self.folder, "log"), "wb")
        command = [program, "serve", "--data", os.path.join(self.folder, "data"), "--listen", "127.0.0.1:0", "--app", APP]
        if with_valgrind:
            # Leaks are not looked for: the runtime keeps what it made once.
            command = ["valgrind", "--quiet", "--error-exitcode=99", "--exit-on-first-error=no", "--leak-check=no",
                       "--suppressions=%s" % (HERE / "valgrind.supp")] + command
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log)
        for line in self.process.stdout:
            found = re.match(rb"listening on http://127.0.0.1:(\d+)", line)
            if found:
                self.port = int(found.group(1))
                return
        raise SystemExit("fuzz.py: the registrar did not begin to listen, see %s/log" % self.folder)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=120)
        self.log.close()
        if status != 0:
            raise Violation("the registrar ended with %d, see %s/log" % (status, self.folder))
        shutil.rmtree(self.folder)


# Requests that are good, with the status each deserves.

def good_requests(rng):
    """One good request and its status."""
    inner = "GET /apps/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    body = rng.choice(["{}", "[]", '{"ids":["x"]}', inner, '{"a":"' + "x" * rng.randrange(2000) + '"}', "\r\n\r\n", "0\r\n\r\n"])
    choices = [
        ("GET", "/healthz", None, 200),
        ("HEAD", "/healthz", None, 200),
        ("GET", "/apps/" + APP, None, 200),
        ("GET", "/apps/%s/keys/%s" % (APP, USER), None, 404),
        ("GET", "/apps/%s/users/%s?at=%d" % (APP, USER, rng.randrange(1 << 40)), None, 404),
        ("GET", "/apps/%s/export?limit=%d" % (APP, rng.randrange(1, 1001)), None, 200),
        ("GET", "/apps/unknown", None, 404),
        ("DELETE", "/apps/" + APP, None, 405),
        ("OPTIONS", "/apps/%s/records" % APP, None, 204),
        ("POST", "/apps/%s/resolve" % APP, json.dumps({"ids": [USER], "have": {USER: HASH}}), 200),
        ("POST", "/apps/%s/records" % APP, body, None),
        ("POST", "/apps/%s/resolve" % APP, body, None),
        ("GET", "/apps/%s" % APP, inner, 200),
    ]
    method, target, content, status = rng.choice(choices)
    lines = ["%s %s HTTP/1.1" % (method, target), "Host: fuzz"]
    if content is not None:
        lines.append("Content-Length: %d" % len(content.encode()))
        lines.append("Content-Type: application/json")
    if rng.random() < 0.1:
        lines.append("If-None-Match: \"%s\"" % HASH)
    if rng.random() < 0.1:
        lines.append("X-Forwarded-For: %s" % rng.choice(["1.2.3.4", "::1", "junk", "1.2.3.4, 5.6.7.8"]))
    text = "\r\n".join(lines) + "\r\n\r\n" + (content or "")
    return text.encode(), method, status


NASTY = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 99999999999999999999\r\n", b"Upgrade: foo\r\nConnection: upgrade\r\n", b"Expect: 100-continue\r\n",
    b"HTTP/1.0", b"Connection: close\r\n", b"\xff\xfe", b"%00", b"..%2f", b"?authorization=", b"Host: y\r\n", b"A" * 9000,
    b"Authorization: Peerstack e30=\r\n", b"Origin: null\r\n",
]


def damage(rng, data):
    data = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        place = rng.randrange(len(data) + 1)
        what = rng.randrange(5)
        if what == 0 and data:
            data[place % len(data)] = rng.randrange(256)
        elif what == 1:
            data[place:place] = rng.choice(NASTY)
        elif what == 2:
            del data[place:place + rng.randrange(1, 20)]
        elif what == 3:
            end = min(len(data), place + rng.randrange(1, 60))
            data[place:place] = data[place:end]
        else:
            data = data[:place]
    return bytes(data)


def frame(rng):
    opcode = rng.choice([0, 1, 1, 1, 2, 3, 7, 8, 9, 10, 15])
    payload = rng.choice([
        b'{"subscribe":["%s"]}' % USER.encode(), b"{}", b"", os.urandom(rng.randrange(200)), b"x" * rng.choice([126, 70000]),
        struct.pack(">H", rng.choice([1000, 1001, 999, 4000])) + b"bye",
    ])
    first = (0x80 if rng.random() < 0.9 else 0) | opcode | (0x40 if rng.random() < 0.05 else 0)
    masked = 0x80 if rng.random() < 0.9 else 0
    if len(payload) < 126:
        head = bytes([first, masked | len(payload)])
    elif len(payload) < 65536:
        head = bytes([first, masked | 126]) + struct.pack(">H", len(payload))
    else:
        head = bytes([first, masked | 127]) + struct.pack(">Q", len(payload))
    if rng.random() < 0.05:
        head = bytes([first, masked | 127]) + struct.pack(">Q", 1 << 63)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def upgrade(rng):
    key = base64.b64encode(bytes(rng.randrange(256) for _ in range(16))).decode()
    target = "/apps/%s/events%s" % (APP, rng.choice(["", "?after=0", "?after=999999", "?after=x"]))
    lines = ["GET %s HTTP/1.1" % target, "Host: fuzz", "Upgrade: websocket", "Connection: Upgrade",
             "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key]
    if rng.random() < 0.2:
        lines.append("Sec-WebSocket-Protocol: x")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


# Talking.

def send_split(rng, connection, data):
    """Sends in random pieces; what the server does not take any more is not our concern."""
    connection.settimeout(ANSWER_SECONDS)
    try:
        while data:
            size = rng.choice([1, 2, 7, 64, 1400, len(data)])
            connection.sendall(data[:size])
            data = data[size:]
    except OSError:
        pass


def read_all(connection, wanted=None):
    """What comes until the server closes, or has given `wanted` answers; a silent server is only waited for where answers
    are owed."""
    received = b""
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        if wanted is not None and len(parse(received, wanted)) >= len(wanted):
            return received
        quiet = 0.02 if wanted is None else deadline - time.monotonic()
        if not select.select([connection], [], [], quiet)[0]:
            return received
        try:
            data = connection.recv(1 << 16)
        except OSError:
            return received
        if not data:
            return received
        received += data
    return received


def parse(data, methods=()):
    """Statuses of the whole answers at the beginning of `data`."""
    statuses = []
    while True:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return statuses
        head = data[:end + 4]
        found = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
        if not found:
            raise Violation("an answer does not begin with a status line: %r" % head[:60])
        status = int(found.group(1))
        if status == 101:
            return statuses + [status]
        length = re.search(rb"\r\ncontent-length: (\d+)\r\n", head, re.I)
        method = methods[len(statuses)] if len(statuses) < len(methods) else "GET"
        size = 0 if method == "HEAD" or status in (204, 304) or status < 200 else int(length.group(1)) if length else 0
        if len(data) < end + 4 + size:
            return statuses
        data = data[end + 4 + size:]
        if status >= 200:
            statuses.append(status)


def good_pipeline(rng, server):
    requests = [good_requests(rng) for _ in range(rng.randrange(1, 6))]
    data = b"".join(request[0] for request in requests)
    with server.connect() as connection:
        send_split(rng, connection, data)
        methods = [request[1] for request in requests]
        received = read_all(connection, methods)
    statuses = parse(received, methods)
    if len(statuses) != len(requests):
        raise Violation("%d answers to %d requests: %s" % (len(statuses), len(requests), statuses), data, received)
    for (_, method, status), got in zip(requests, statuses):
        if (status is not None and got != status) or got >= 500:
            raise Violation("%s deserved %s and got %d" % (method, status, got), data, received)
    return data


def damaged(rng, server):
    data = b"".join(good_requests(rng)[0] for _ in range(rng.randrange(1, 4)))
    if rng.random() < 0.3:
        data += upgrade(rng) + b"".join(frame(rng) for _ in range(rng.randrange(4)))
    data = damage(rng, data) if rng.random() < 0.95 else os.urandom(rng.randrange(1, 3000))
    talk(rng, server, data)
    return data


def websocket(rng, server):
    data = upgrade(rng) + b"".join(frame(rng) for _ in range(rng.randrange(8)))
    talk(rng, server, data)
    return data


def talk(rng, server, data):
    with server.connect() as connection:
        send_split(rng, connection, data)
        end = rng.randrange(4)
        if end == 0:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if end == 1:
            try:
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        received = read_all(connection)
    if b"HTTP/1.1 500" in received:
        raise Violation("the server answered 500", data, received)


def is_alive(server):
    with server.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: fuzz\r\nConnection: close\r\n\r\n")
        if parse(read_all(connection, ["GET"])) != [200]:
            raise Violation("the server does not answer any more")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("registrar", help="the built program")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--valgrind", action="store_true")
    arguments = parser.parse_args()
    print("seed %d" % arguments.seed)
    rng = random.Random(arguments.seed)
    server = Server(arguments.registrar, arguments.valgrind)
    counts = {good_pipeline: 0, damaged: 0, websocket: 0}
    end = time.monotonic() + arguments.seconds
    try:
        while time.monotonic() < end:
            case = rng.choice([good_pipeline, damaged, damaged, websocket])
            case(rng, server)
            counts[case] += 1
            if sum(counts.values()) % 50 == 0:
                is_alive(server)
        is_alive(server)
        server.stop()
    except Violation as violation:
        server.process.kill()
        print("violation: %s" % violation.args[0], file=sys.stderr)
        findings = HERE / "findings"
        findings.mkdir(exist_ok=True)
        for name, content in zip(("sent", "received"), violation.args[1:]):
            (findings / name).write_bytes(content)
        sys.exit(1)
    except (OSError, subprocess.TimeoutExpired) as error:
        server.process.kill()
        print("violation: the server hangs or is gone: %s, see %s/log" % (error, server.folder), file=sys.stderr)
        sys.exit(1)
    print(", ".join("%d %s" % (count, case.__name__) for case, count in counts.items()))


main()

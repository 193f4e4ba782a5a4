"""Connections worth parsing: whole requests, damaged ones, and several behind each other."""

LINES = [
    b"GET / HTTP/1.1", b"GET /a?b=c HTTP/1.1", b"POST /p HTTP/1.1", b"HEAD /h HTTP/1.1", b"OPTIONS * HTTP/1.1",
    b"OPTIONS /o HTTP/1.1", b"GET http://b.example:80/x?y HTTP/1.1", b"GET https://[::1] HTTP/1.1", b"PUT /u HTTP/1.1",
    b"DELETE /d HTTP/1.1", b"GET /old HTTP/1.0", b"POST /old HTTP/1.0", b"PATCH /%41/..//%zz HTTP/1.1",
    b"GET http://c?d HTTP/1.1", b"TRACE / HTTP/1.1", b"FOO / HTTP/1.1", b"CONNECT a:1 HTTP/1.1", b"get / HTTP/1.1",
    b"GET /\"<>\\^`{|}[]~ HTTP/1.1", b"PRI * HTTP/2.0", b"GET / HTTP/1.2", b"M-SEARCH / HTTP/1.1", b"QUERY /q HTTP/1.1",
]

FIELDS = [
    b"Accept: */*", b"X-Empty:", b"X-Blank: \t ", b"X-Inner: a\t b,  c", b"X-High: \x80\xff\xc3\xa9", b"Connection: close",
    b"Connection: keep-alive", b"connection: keep-alive, Upgrade", b"Connection: foo, close", b"Upgrade: foo",
    b"Upgrade: websocket", b"Upgrade: h2c", b"Expect: 100-continue", b"Expect: other", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked, chunked", b"TE: trailers", b"Host: again",
    b"Content-Length: 3", b"Content-Length: 3, 3", b"Content-Length: +3", b"Content-Length: 0x3", b"Content-Length: 03",
    b"Content-Length : 3", b"Content_Length: 3", b"Trailer: x", b"Proxy-Connection: close", b"Keep-Alive: timeout=5",
    b"X-Folded: a\r\n b", b"X-Long: " + b"x" * 300, b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Version: 13", b"HTTP2-Settings: AAAA", b"!#$%&'*+-.^_`|~09aZ: v", b"Cookie: a=b; c=\"d\"",
]

HOSTS = [b"a", b"a.example:8080", b"[::1]:1", b"127.0.0.1", b"", b"a b", b"a,b", b"u@a", b"a:", b"[::1", b"xn--a_b~c"]

PIECES = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"\x0b", b"\x0c", b"\x7f", b"\x80", b"\xff", b"0", b"-",
    b"\r\n\r\n", b"\n\n", b"\r\n ", b"\r\n\t", b"\r\r\n", b"\n\r\n", b"\r\n\n", b" HTTP/1.1", b"HTTP/1.1\r\n", b"#", b"?", b"*",
    b"Content-Length: 5\r\n", b"Content-Length: 5", b"content-length:5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n", b"Transfer-Encoding : chunked\r\n", b"Host: b\r\n", b"Connection: close\r\n",
    b"0\r\n\r\n", b"5\r\nabcde\r\n0\r\n\r\n", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", b"Upgrade: foo\r\n", b"\xc2\x85",
    b"18446744073709551617", b"9007199254740993", b"000000000000000000000", b"\xd9\xa5",
]

BODIES = [
    b"", b"abc", b"{}", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", b"0\r\n\r\n", b"\r\n", b"\r\n\r\n", b"5\r\nabcde\r\n0\r\n\r\n",
    b"\0" * 10, b"x" * 200,
]


class Generator:
    def __init__(self, random):
        self.random = random

    def templates(self):
        """Each line and each field by itself, undamaged."""
        cases = [line + b"\r\nHost: a\r\nContent-Length: 0\r\n\r\n" for line in LINES]
        cases += [b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n" for host in HOSTS]
        for field in FIELDS:
            cases.append(b"GET / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
            cases.append(b"POST / HTTP/1.1\r\n" + field + b"\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        return cases

    def case(self):
        """A connection of one to four requests, damaged more often than not."""
        random = self.random
        bytes_ = b"".join(self.request() for _ in range(random.choice((1, 1, 2, 3, 4))))
        for _ in range(random.choice((0, 0, 1, 1, 1, 2, 3))):
            bytes_ = self.damaged(bytes_)
        return bytes_

    def request(self):
        random = self.random
        line = random.choice(LINES) if random.random() < 0.5 else random.choice(LINES[:10])
        host = random.choice(HOSTS) if random.random() < 0.1 else random.choice(HOSTS[:4])
        weird = random.random() < 0.5
        fields = [random.choice(FIELDS if weird else FIELDS[:18]) for _ in range(random.choice((0, 0, 1, 1, 2, 3, 8)))]
        # Most framing fields in a list would refuse most requests.
        fields = [field for field in fields if not field.startswith((b"Transfer", b"Host")) or random.random() < 0.2]
        if random.random() < 0.97:
            fields.append(random.choice((b"Host: ", b"host:", b"HOST: \t")) + host)
        body = random.choice(BODIES) if b"POST" in line or random.random() < 0.3 else None
        if body is not None:
            length = len(body) if random.random() < 0.9 else random.randrange(0, 60)
            fields.append(random.choice((b"Content-Length: %d", b"content-length:%d ", b"CONTENT-LENGTH: 0%d")) % length)
        random.shuffle(fields)
        return line + b"\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + (body or b"")

    def damaged(self, bytes_):
        random = self.random
        at = random.randrange(len(bytes_) + 1)
        choice = random.randrange(7)
        if choice == 0:
            return bytes_[:at] + bytes((random.randrange(256),)) + bytes_[at:]
        if choice == 1:
            return bytes_[:at] + random.choice(PIECES) + bytes_[at:]
        if choice == 2:
            return bytes_[:at] + bytes_[at + random.randrange(1, 5):]
        if choice == 3:
            return bytes_[:at] + bytes((random.randrange(256),)) + bytes_[at + 1:]
        if choice == 4:
            return bytes_[:at] + bytes_[at:at + random.randrange(1, 40)] + bytes_[at:]
        # Line ends are where framing is decided: damage them more than their share.
        ends = [index for index in range(len(bytes_)) if bytes_[index] in b"\r\n:"]
        if not ends:
            return bytes_
        at = random.choice(ends)
        if choice == 5:
            return bytes_[:at] + random.choice(PIECES) + bytes_[at + random.randrange(2):]
        other = random.choice(ends)
        return bytes_[:at] + bytes_[max(at, other):]

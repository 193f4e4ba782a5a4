"""What entries come to, read from docs/spec/protocol.md alone, and how records are made and signed (libsodium).

It judges nothing: whether a record is accepted is said by whoever writes a history."""
import base64
import ctypes
import ctypes.util
import hashlib
import json

sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
DAY = 86_400_000
HOUR = 3_600_000
APP = "chat.example"


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value, *without):
    kept = {name: field for name, field in value.items() if name not in without}
    return hashlib.sha256(canonical(kept)).hexdigest()


class Key:
    """A throw-away key, made from its name."""

    def __init__(self, name):
        seed = hashlib.sha256(b"own histories: " + name.encode()).digest()
        public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        sodium.crypto_sign_seed_keypair(public, secret, seed)
        box = ctypes.create_string_buffer(32)
        sodium.crypto_scalarmult_base(box, hashlib.sha256(b"box" + seed).digest())
        self.secret = secret.raw
        self.text = base64.b64encode(public.raw).decode()
        self.box = base64.b64encode(box.raw).decode()

    def sign(self, text):
        signature = ctypes.create_string_buffer(64)
        sodium.crypto_sign_detached(signature, None, text.encode(), ctypes.c_ulonglong(len(text)), self.secret)
        return base64.b64encode(signature.raw).decode()


def base36(number, count):
    digits = ""
    for _ in range(count):
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def bound_id(created, authority, key):
    commitment = {"authority": authority, "created": created, "publicBoxKey": key.box, "publicKey": key.text}
    value = hashlib.sha256(b"peerstack bound id v1\n" + canonical(commitment)).digest()
    for _ in range(1024):
        value = hashlib.sha256(value).digest()
    return base36(created, 10) + base36(int.from_bytes(value[:16], "big") % 36**15, 15)


def sign(record, approving, outer=None):
    """Puts approvals and signature on a record. Without an outer key, the first approval's key signs."""
    hash_ = digest(record, "approvals", "signature")
    approvals = sorted(({"publicKey": key.text, "signature": key.sign(hash_)} for key in approving),
                       key=lambda approval: approval["publicKey"])
    signed = dict(record, approvals=approvals)
    outer = outer or next(key for key in approving if key.text == approvals[0]["publicKey"])
    return dict(signed, signature=outer.sign(digest(signed)))


def is_signer(tier):
    return tier.get("role") == "signer"


def signer_rank(authority):
    return next(rank for rank, tier in enumerate(authority) if is_signer(tier))


class Fold:
    """The state of protocol 8 at a time."""

    def __init__(self, entries, now):
        self.entries = entries
        self.status, self.when = {}, {}
        self.line, self.floors = [], []
        self.pending = None
        self.claims, self.lapses = [], None
        self.owed = False
        for entry in entries:
            self.settle(entry["accepted"])
            self.take(entry)
        self.settle(now)

    def settle(self, now):
        if self.pending is not None and self.pending["effective"] <= now:
            entry, self.pending = self.pending, None
            self.in_force(entry, entry["effective"])
        if self.claims and self.lapses <= now:
            for rival in self.claims[1:]:
                self.set(rival, "refused", None)
            self.claims = []

    def set(self, entry, status, when):
        self.status[entry["index"]], self.when[entry["index"]] = status, when

    def cancel(self):
        if self.pending is not None:
            self.set(self.pending, "cancelled", None)
            self.pending = None

    def begin(self, entry, when):
        """A history starts anew: all that was in force or waiting on another is refused."""
        for other in self.entries:
            if other is entry or "action" not in other["record"]:
                continue
            if self.status.get(other["index"]) in ("effective", "pending"):
                self.set(other, "refused", None)
        self.line, self.pending, self.claims = [], None, []
        self.in_force(entry, when)

    def take(self, entry):
        record = entry["record"]
        if record["type"] == "Adjudication":
            self.set(entry, "effective", entry["accepted"])
            winner = next(claim for claim in self.claims if digest(claim["record"]) == record["winner"])
            if winner is self.claims[0]:
                self.cancel()
                for rival in self.claims[1:]:
                    self.set(rival, "refused", None)
                self.claims = []
            else:
                self.begin(winner, entry["accepted"])
            self.owed = True
        elif record["action"] == "claim" and entry["effective"] is None:
            self.set(entry, "pending", None)
            if not self.claims:
                self.cancel()
                first = next(each for each in self.entries if each["index"] == self.line[0]["index"])
                self.claims, self.lapses = [first], entry["accepted"] + 30 * DAY
            self.claims.append(entry)
        elif record["action"] == "claim":
            self.begin(entry, entry["accepted"])
            self.owed = False
        else:
            self.cancel()
            if entry["effective"] > entry["accepted"]:
                self.set(entry, "pending", entry["effective"])
                self.pending = entry
            else:
                self.in_force(entry, entry["accepted"])

    def in_force(self, entry, when):
        record, rank = entry["record"], entry["rank"]
        above = None
        if record["action"] == "claim":
            self.floors = [0] * signer_rank(record["authority"])
        else:
            before = self.line[-1]["record"]["authority"]
            top = before[:signer_rank(before)]
            above = rank < len(top)
            fresh = self.floors[rank] if above else when
            self.floors = [self.floors[top.index(tier)] if tier in top else fresh
                           for tier in record["authority"][:signer_rank(record["authority"])]]
            self.owed = False
        self.set(entry, "effective", when)
        self.line.append({"record": record, "when": when, "rank": rank, "above": above, "index": entry["index"],
                          "accepted": entry["accepted"]})

    @property
    def head(self):
        return self.line[-1]["record"] if self.line else None

    def rank(self, approving, admins):
        locked = self.head["action"] == "revoke"
        for rank, tier in enumerate(self.head["authority"]):
            if is_signer(tier):
                met = not locked and self.head["publicKey"] in approving
            else:
                demand = admins if tier.get("role") == "registrar" else tier
                met = len(approving & set(demand["keys"])) >= demand["threshold"]
            if met:
                return rank
        return None

    def keys(self):
        line = self.line
        boundaries = {}  # place in the line: time
        covered = set()
        for place in range(len(line) - 1, 0, -1):
            link = line[place]
            for other, time in boundaries.items():
                if line[other]["above"] and link["when"] >= time and (
                        link["rank"] > line[other]["rank"] or not link["above"]):
                    covered.add(place)
            if place not in covered and link["record"].get("reason") == "compromised":
                boundaries[place] = link["record"].get("compromised", link["accepted"])
        keys = []
        for place, link in enumerate(line):
            record = link["record"]
            if record["action"] != "amend":
                for key in keys:
                    if key["until"] is None and (place not in covered or key["fate"] == "void"):
                        key["until"] = link["when"]
                        if key["fate"] == "current":
                            key["fate"] = "revoked" if record["action"] == "revoke" else "retired"
            if record["action"] in ("claim", "rotate", "recover"):
                keys.append({"publicKey": record["publicKey"], "publicBoxKey": record["publicBoxKey"],
                             "sequence": record["sequence"], "from": link["when"], "until": None, "expires": None,
                             "fate": "void" if place in covered else "current", "compromised": None, "place": place})
            if place not in covered and record["action"] not in ("revoke", "retire"):
                next(key for key in keys if key["publicKey"] == record["publicKey"])["expires"] = record.get("expires")
        for place, time in boundaries.items():
            earlier = [key for key in keys if key["place"] < place and key["fate"] != "void"]
            for key in earlier:
                if key is earlier[-1] or key["until"] is None or key["until"] > time:
                    key["compromised"] = time if key["compromised"] is None else min(key["compromised"], time)
        for key in keys:
            del key["place"]
        return keys

    def state(self):
        if not self.line:
            return None
        head = self.head
        status = {"revoke": "locked", "retire": "retired"}.get(head["action"], "active")
        state = {"status": "contested" if self.claims else status, "sequence": head["sequence"], "head": digest(head),
                 "incarnation": head["incarnation"], "authority": head["authority"], "pending": None}
        if self.pending is not None:
            state["pending"] = {"record": digest(self.pending["record"]), "effective": self.pending["effective"],
                                "rank": self.pending["rank"]}
        if self.claims:
            state["claims"] = [digest(claim["record"]) for claim in self.claims]
        state["keys"] = self.keys()
        state["records"] = [{"index": entry["index"], "record": digest(entry["record"]),
                             "status": self.status[entry["index"]], "effective": self.when[entry["index"]]}
                            for entry in self.entries]
        return state

"""How a history is written down: what is offered when, and what must come of it."""
import hashlib
import json

from model import APP, DAY, HOUR, Fold, Key, base36, canonical, digest, sign

START = 1_775_000_000_000
ADMIN = Key("admin")
SIGNER = {"role": "signer"}


def tier(name, *keys, threshold=1, delay=0):
    return {"name": name, "keys": [Key(key).text for key in keys], "threshold": threshold, "delay": delay}


def registrar(delay):
    return {"role": "registrar", "delay": delay}


PAPER = tier("paper", "paper")
VAULT = tier("vault", "vault", delay=2 * DAY)
USUAL = [PAPER, SIGNER]


class History:
    def __init__(self, name, about, rules, window=0, bound_since=None, admission="open"):
        self.admins = {"keys": [ADMIN.text], "threshold": 1}
        self.case = {"name": name, "about": about, "rules": rules, "app": APP, "policies": [], "usedElsewhere": [],
                     "steps": []}
        self.policy(0, window, bound_since, admission)
        self.id = base36(START, 10) + hashlib.sha256(name.encode()).hexdigest()[:15]
        self.entries = []
        self.objects = []

    def policy(self, since, window=0, bound_since=None, admission="open"):
        self.case["policies"].append({"from": since, "policy": {
            "admins": self.admins, "admission": admission, "boundSince": bound_since, "contestWindow": window,
            "recordRead": "public"}})

    def fold(self, now):
        return Fold(self.entries, now)

    def claim(self, now, key="first", tiers=USUAL, expect="accepted", rival=False, step=None, **fields):
        record = {"type": "PublicKey", "id": f"{self.id}:k0", "group": "users", "app": APP, "subject": self.id,
                  "signer": self.id, "sequence": 0, "action": "claim", "publicKey": Key(key).text,
                  "publicBoxKey": Key(key).box, "authority": tiers, "incarnation": 0, "modified": now, **fields}
        return self.offer(now, sign(record, [], Key(key)), expect, rank=None, effective=None if rival else now, **(step or {}))

    def make(self, now, action, by=(), new=None, head=None, signer=None, **fields):
        """A record on the head. `by` are the names of those who approve, `signer` that of the key in force."""
        fold = self.fold(now)
        head = head or fold.head
        key, box = (Key(new).text, Key(new).box) if new else (head["publicKey"], head["publicBoxKey"])
        record = {"type": "PublicKey", "id": f"{self.id}:k{head['sequence'] + 1}", "group": "users", "app": APP,
                  "subject": self.id, "signer": self.id, "sequence": head["sequence"] + 1, "previous": digest(head),
                  "action": action, "publicKey": key, "publicBoxKey": box, "authority": head["authority"],
                  "incarnation": head["incarnation"], "modified": max(now, head["modified"] + 1), **fields}
        if action in ("rotate", "recover", "revoke") and "reason" not in record:
            record["reason"] = "lost"
        outer = Key(new) if new else Key(signer) if signer else None
        if action in ("revoke", "retire") and by:
            outer = None
        return sign(record, [Key(name) for name in by], outer)

    def record(self, now, action, expect="accepted", by=(), new=None, signer=None, facts=None, **fields):
        """Makes and offers a record."""
        record = self.make(now, action, by, new, signer=signer, **fields)
        return self.put(now, record, expect, facts)

    def put(self, now, record, expect="accepted", facts=None, **step):
        """Offers a record that was made before."""
        rank = effective = None
        if expect == "accepted":
            fold = self.fold(now)
            outer = record["approvals"][0]["publicKey"] if record["action"] in ("revoke", "retire") and record[
                "approvals"] else record["publicKey"]
            approving = {approval["publicKey"] for approval in record["approvals"]} | {outer}
            rank = fold.rank(approving, self.admins)
            effective = now + fold.head["authority"][rank].get("delay", 0)
        return self.offer(now, record, expect, rank, effective, facts, **step)

    def adjudicate(self, now, winner, expect="accepted", by=(ADMIN,)):
        hash_ = digest(winner)
        decision = {"type": "Adjudication", "id": f"{self.id}:a{hash_[:16]}", "app": APP, "subject": self.id,
                    "winner": hash_, "modified": now}
        return self.offer(now, sign(decision, list(by)), expect, rank=None, effective=now)

    def offer(self, now, record, expect, rank=None, effective=None, facts=None, **step):
        step = {"now": now, "record": record, **step, "expect": expect}
        if expect == "accepted":
            entry = {"index": len(self.entries), "accepted": now, "effective": effective, "rank": rank}
            self.entries.append(dict(entry, record=record))
            step["entry"] = dict(entry, hash=digest(record))
        elif expect == "same":
            step["index"] = next(e["index"] for e in self.entries if e["record"] == record)
        if facts is not None:
            step["facts"] = facts
        self.case["steps"].append(step)
        return record

    def object(self, now, key, modified, verdict, **evidence):
        """An object by a key, judged with all steps so far."""
        value = {"type": "Note", "id": "note", "signer": self.id, "modified": modified}
        signed = dict(value, signature=Key(key).sign(digest(value)))
        judged = {"now": now, "after": len(self.case["steps"]), "object": canonical(signed).decode()}
        if evidence:
            judged["evidence"] = evidence
        self.objects.append(dict(judged, verdict=verdict))

    def invitation(self, expires, nonce="n", **fields):
        value = {"type": "Invitation", "app": APP, "nonce": nonce, "expires": expires, "publicKey": ADMIN.text,
                 **fields}
        return dict(value, signature=ADMIN.sign(digest(value)))

    def finish(self, now, **expected):
        """Ends the history. What is said of the state here is compared with what the model makes of it."""
        state = self.fold(now).state()
        for name, value in expected.items():
            if name == "fates":
                found = [(key["fate"], key["until"], key["compromised"]) for key in state["keys"]]
            elif name == "statuses":
                found = [record["status"] for record in state["records"]]
            else:
                found = state[name]
            if found != value:
                raise SystemExit(f"{self.case['name']}: {name} is {found}, not {value}")
        self.case["final"] = {"now": now, "state": state}
        if self.objects:
            self.case["objects"] = self.objects
        return self.case


def write(path, cases):
    text = ",\n".join(json.dumps(case, separators=(",", ":"), ensure_ascii=True) for case in cases)
    path.write_text('{"cases":[\n' + text + "\n]}\n")

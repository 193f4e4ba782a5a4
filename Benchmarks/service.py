"""Rows of the server: claims, and look-ups from memory and from the database."""

import json
import os
import random
import subprocess
import sys
from statistics import median

import peers
from dataset import running, statement
from measuring import in_turns, measured, say
from peers import APP, ROOT, Hummingbird, Nginx, Registrar, Trouble, wrk
from report import Row

# Fields that a peer writes itself.
PEERS_FIELDS = {"date", "content-length", "connection", "server"}
NGINX_PORT, STATIC_PORT, HUMMINGBIRD_PORT = 18_481, 18_482, 18_483
# Of the server while memory is off, and of what it is measured against.
COLD_CLIENTS = 8


def claim(bench, registrar, count):
    figures = measured("claims", registrar.port, APP, count, 64, f"{bench.folder}/claimed")[0]
    with open(f"{bench.folder}/claimed") as file:
        return figures, file.read().split()


def claims(bench):
    """64 clients on both sides; neither is pinned."""
    plan, database = bench.plan, bench.empty("claims")
    with running(Registrar(database, bench.folder)) as registrar:
        _, users = claim(bench, registrar, 500)
        _, record = peers.get(registrar.url + registrar.key(users[0]))
        script = f"{bench.folder}/insert.sql"
        with open(script, "w") as file:
            file.write("insert into bench_rows (app, accepted, subject, hash, record) values "
                       f"('{APP}', 1790000000000, '{users[0]}', sha256('x'), '\\x{record.hex()}'::bytea);\n")
        peers.sql(database, "create table bench_rows (app text, index bigint generated always as identity,"
                  " accepted bigint, subject text, hash bytea, record bytea, primary key (app, index))")
        peers.pgbench(database, [script], 64, 1)

        def ours():
            figures, ids = claim(bench, registrar, plan.claims)
            users.extend(ids)
            return figures["created"] / figures["seconds"]

        pairs = in_turns(plan, ours, lambda: peers.pgbench(database, [script], 64, plan.seconds))
        stored = int(peers.sql(database, f"select count(*) from entries where app = '{APP}' and subject is not null"))
        if stored != len(users):
            raise Trouble(f"{len(users)} claims were accepted, and {stored} are stored")
        yield Row("claims", "durable claims over HTTP, 64 clients", "pgbench, one row a transaction, 64 clients",
                  "claims/s", pairs, 2,
                  note=f"a record has {len(record)} bytes; all {stored} claims are in the database")


def paths_file(bench, name, users):
    path = f"{bench.folder}/{name}"
    with open(path, "w") as file:
        file.writelines(f"/apps/{APP}/keys/{user}\n" for user in users)
    return path


def bodies_file(bench, users):
    """Twenty requests to resolve, of a thousand users each."""
    path = f"{bench.folder}/bodies"
    with open(path, "w") as file:
        for _ in range(20):
            file.write(json.dumps({"ids": random.sample(users, 1_000)}) + "\n")
    return path


def rate(figures):
    return figures["requests"] / figures["seconds"]


def from_memory(bench):
    """A registrar with all users in memory, with one loop on one core."""
    database, users = bench.users(bench.plan.users)
    registrar = Registrar(database, bench.folder, core=peers.cores()[0], loops=1, cache=1_024)
    registrar.fill(users)
    return registrar, users


def get_key(bench):
    """One loop on one core, and nginx with one worker on the same; wrk on the other."""
    plan, (core, client) = bench.plan, peers.cores()
    registrar, users = from_memory(bench)
    paths = paths_file(bench, "paths", users)
    with running(registrar), running(Nginx(bench.folder, core, same_answer(registrar, users[0]), NGINX_PORT)) as nginx:
        pairs = in_turns(plan, lambda: wrk(registrar, client, 64, plan.seconds, BENCH_PATHS=paths),
                         lambda: wrk(nginx, client, 64, plan.seconds, BENCH_PATHS=paths))
        yield Row("get-key", f"GET a key from memory, {len(users):,} users at random, 64 connections, one core",
                  "nginx return 200, same fields and body, one worker, same core", "requests/s",
                  [tuple(rate(figures) for figures in pair) for pair in pairs], 1)
        yield Row("get-key-cpu", "the same", "the same", "µs CPU/request",
                  [tuple(figures["cpu"] * 1e6 for figures in pair) for pair in pairs], 1, at_most=True)


def hummingbird(bench):
    """The same against a program on Hummingbird 2, which is built now if it is not there."""
    plan, (core, client) = bench.plan, peers.cores()
    if bench.builds:
        say("building the program on Hummingbird")
        command = ["swift", "build", "-c", "release", "--package-path", Hummingbird.package]
        if subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode != 0:
            raise Trouble("the program on Hummingbird cannot be built: its package comes from GitHub")
    if not os.path.exists(Hummingbird.path):
        raise Trouble("the program on Hummingbird is not built: run without --no-build")
    registrar, users = from_memory(bench)
    paths = paths_file(bench, "paths", users)
    answer = f"{bench.folder}/hummingbird-answer"
    fields, body = peers.get(registrar.url + registrar.key(users[0]))
    with open(answer, "wb") as file:
        lines = [f"{name}: {value}\n" for name, value in fields if name.lower() not in PEERS_FIELDS]
        file.write("".join(lines).encode() + b"\n" + body)
    with running(registrar), running(Hummingbird(core, answer, HUMMINGBIRD_PORT)) as peer:
        same_fields(registrar, peer, users[0])
        pairs = in_turns(plan, lambda: wrk(registrar, client, 64, plan.seconds, BENCH_PATHS=paths),
                         lambda: wrk(peer, client, 64, plan.seconds, BENCH_PATHS=paths))
        yield Row("get-key-hummingbird", "GET a key from memory, as in get-key",
                  f"the same route on Hummingbird {Hummingbird.version()}, same fields and body, same core",
                  "requests/s", [tuple(rate(figures) for figures in pair) for pair in pairs], 3)
        yield Row("get-key-hummingbird-cpu", "the same", "the same", "µs CPU/request",
                  [tuple(figures["cpu"] * 1e6 for figures in pair) for pair in pairs], None)


def resolve(bench):
    plan, (core, client) = bench.plan, peers.cores()
    registrar, users = from_memory(bench)
    bodies, target = bodies_file(bench, users), f"/apps/{APP}/resolve"
    with open(f"{bench.folder}/root", "w") as file:
        file.write("/\n")
    with running(registrar):
        answer = resolve_answer(registrar, target, bodies)
        with running(Nginx(bench.folder, core, static_file(bench.folder, answer), STATIC_PORT)) as static:
            pairs = in_turns(
                plan, lambda: wrk(registrar, client, 8, plan.seconds, BENCH_BODIES=bodies, BENCH_TARGET=target),
                lambda: wrk(static, client, 8, plan.seconds, BENCH_PATHS=f"{bench.folder}/root"))
    yield Row("resolve-bytes", "POST resolve of 1,000 ids from memory, 8 connections, one core",
              f"nginx, a static file of the answer's size ({len(answer):,} bytes), same core", "MB/s",
              [tuple(f["bytes"] / f["seconds"] / 1e6 for f in pair) for pair in pairs], 0.5)
    yield Row("resolve-users", "the same, users a second of the server's processor time", "the constant 250,000",
              "users/s CPU", [(1_000 / ours["cpu"], 250_000) for ours, _ in pairs], 1)


def get_key_cold(bench):
    """The memory off: every answer is read from the database, on all cores, as pgbench reads.

    The users of both sides are the same 100, since pgbench takes at most 128 scripts and cannot put texts together.
    They stand in the scripts as literals, which spares pgbench the sending of parameters.
    """
    plan, (database, users) = bench.plan, bench.users(bench.plan.users)
    chosen, scripts = random.sample(users, 100), []
    for number, user in enumerate(chosen):
        scripts.append(f"{bench.folder}/select-{number}.sql")
        with open(scripts[-1], "w") as file:
            select = statement("readUsers").replace("$1", f"'{APP}'").replace("$2", f"'{{{user}}}'::text[]")
            file.write(select + ";\n")
    paths = paths_file(bench, "cold-paths", chosen)
    with running(Registrar(database, bench.folder, cache=0)) as registrar:
        pairs = in_turns(plan, lambda: rate(wrk(registrar, None, COLD_CLIENTS, plan.seconds, BENCH_PATHS=paths)),
                         lambda: peers.pgbench(database, scripts, COLD_CLIENTS, plan.seconds))
    yield Row("get-key-cold", f"GET a key with the memory off, {COLD_CLIENTS} connections, HTTP included",
              f"pgbench -M prepared, the same SELECT, {COLD_CLIENTS} clients", "requests/s", pairs, 1.1)


def resolve_cold(bench):
    """As many connections to the registrar as the loop has to Postgres, and the same ids."""
    plan, (database, users) = bench.plan, bench.users(bench.plan.users)
    bodies, target = bodies_file(bench, users), f"/apps/{APP}/resolve"
    with running(Registrar(database, bench.folder, cache=0)) as registrar:
        resolve_answer(registrar, target, bodies)

        costs = []

        def ours():
            figures = wrk(registrar, None, COLD_CLIENTS, plan.seconds, BENCH_BODIES=bodies, BENCH_TARGET=target)
            costs.append(1e3 * figures["cpu"])
            return 1_000 * rate(figures)

        def peer():
            figures = measured(
                "rows", database.url, statement("readUsers"), APP, bodies, COLD_CLIENTS, plan.seconds)[0]
            return figures["rows"] / figures["seconds"]

        pairs = in_turns(plan, ours, peer)
    yield Row("resolve-cold", f"POST resolve of 1,000 ids with the memory off, {COLD_CLIENTS} connections",
              f"a bare loop over libpq, the same prepared SELECT, {COLD_CLIENTS} connections", "rows/s", pairs, 0.8,
              note=f"the server takes {median(costs):.1f} µs of processor time a row")


def same_answer(registrar, user):
    """The location of nginx that answers as the registrar does for a user."""
    fields, body = peers.get(registrar.url + registrar.key(user))
    lines = [f"add_header {name} '{value}';" for name, value in fields
             if name.lower() not in PEERS_FIELDS | {"content-type"}]
    if b"'" in body or b"$" in body or b"\\" in body:
        raise Trouble("the record cannot be written into a configuration of nginx")
    return (f"location / {{ default_type application/json; server_tokens off; {' '.join(lines)} "
            f"return 200 '{body.decode()}'; }}")


def same_fields(registrar, peer, user):
    """Makes sure that a peer answers as the registrar does."""
    def answer(side):
        fields, body = peers.get(side.url + registrar.key(user))
        return [*sorted((name.lower(), value) for name, value in fields if name.lower() not in PEERS_FIELDS), body]

    if differences := [pair for pair in zip(answer(registrar), answer(peer), strict=False) if pair[0] != pair[1]]:
        raise Trouble(f"the peer does not answer as the registrar does: {differences[0]}")


def resolve_answer(registrar, target, bodies):
    with open(bodies) as file:
        answer = peers.get(registrar.url + target, file.readline().encode())[1]
    found = json.loads(answer)
    if len(found["users"]) != 1_000:
        raise Trouble(f"resolve answers {len(found['users'])} of 1,000 users")
    return answer


def static_file(folder, answer):
    os.makedirs(f"{folder}/static", exist_ok=True)
    with open(f"{folder}/static/answer.json", "wb") as file:
        file.write(answer)
    return f"location / {{ root {folder}/static; rewrite ^ /answer.json break; default_type application/json; }}"

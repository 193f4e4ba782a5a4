"""Databases of so many users, made once a run and kept for every row that needs them."""

import contextlib
import os
import re
import subprocess
import time

import peers
from measuring import measured, say
from peers import APP, ROOT, Database, Registrar, Trouble

STATEMENTS = os.path.join(ROOT, "Sources/Registry/Statements.swift")


def statement(name):
    """The SQL of a statement of the service, as it stands in its source."""
    with open(STATEMENTS) as file:
        source = file.read()
    columns = re.search(r'static let entryColumns = "(.*?)"', source)
    found = re.search(rf'static let {name} = PreparedStatement\(\s*"\w+",\s*"""\n(.*?)"""', source, re.DOTALL)
    if not columns or not found:
        raise Trouble(f"the statement {name} is not found in Statements.swift: its source has another shape")
    return " ".join(found[1].replace(r"\(entryColumns)", columns[1]).split())


class Bench:
    """One run: its plan, its folder, and a cluster with databases that are there once somebody asks for them."""

    def __init__(self, plan, folder, stack, builds=True):
        self.plan, self.folder, self.stack, self.builds = plan, folder, stack, builds
        self.sizes = sorted({plan.few, plan.users, plan.many})
        self.socket = None
        self.parts, self.ids, self.databases = [], [], {}

    def empty(self, name):
        """A database with the app and no users."""
        if not self.socket:
            say("starting Postgres")
            self.socket = self.stack.enter_context(peers.postgres(self.folder))
            peers.sql(Database(self.socket, "postgres"), "create database template_bench")
            Registrar.prepare(Database(self.socket, "template_bench"), self.folder)
        # A copy: all have the same app, policy and registrar's key.
        peers.sql(Database(self.socket, "postgres"), f"create database {name} template template_bench")
        return Database(self.socket, name)

    def users(self, count):
        """A database of so many users and their ids. The users of a smaller one are the first of a larger one."""
        if count not in self.databases:
            database = self.empty(f"users_{count}")
            self.make(count)
            self.load(database, count)
            self.databases[count] = database
        return self.databases[count], self.ids[:count]

    def make(self, count):
        """Rows of signed claims, in parts that end where a database ends."""
        for size in self.sizes:
            if len(self.ids) >= min(size, count):
                continue
            say(f"signing the claims of {size - len(self.ids):,} users")
            folder = f"{self.folder}/part-{size}"
            os.mkdir(folder, 0o755)
            made = measured("users", APP, len(self.ids) + 1, size - len(self.ids), folder)[0]
            with open(f"{folder}/ids") as file:
                self.ids += file.read().split()
            self.parts.append((size, [f"{folder}/{thread}" for thread in range(made["threads"])]))
            if len(self.ids) != size:
                raise Trouble(f"{len(self.ids)} of {size} users could be made")

    def load(self, database, count):
        started = time.monotonic()
        say(f"storing {count:,} users")
        folders = [folder for size, folders in self.parts if size <= count for folder in folders]
        # One copy a table at once.
        copies = [subprocess.Popen(peers.psql(database) + [
            argument for folder in folders
            for argument in ("-c", rf"\copy {table} from '{folder}/{table}.copy' with (format binary)")])
            for table in ("entries", "users", "used_keys")]
        if any([copy.wait() for copy in copies]):
            raise Trouble(f"the rows of {count} users cannot be stored")
        peers.sql(database, f"""update apps set next_index = {count + 1}, user_count = {count},
            last_accepted = (select accepted from entries where app = '{APP}' order by index desc limit 1)""")
        # What autovacuum would do in the middle of a measurement.
        peers.sql(database, "vacuum analyze")
        peers.sql(database, "checkpoint")
        if count == min(self.sizes):
            # All are made by the same program: the registrar replays and compares those of the smallest.
            say(peers.output([Registrar.path, "check", *Registrar.database(database)]).strip())
        say(f"{count:,} users are stored: {time.monotonic() - started:.0f} s")


@contextlib.contextmanager
def running(side):
    try:
        yield side
    finally:
        side.stop()

"""The programs that are measured and what they are measured against: started, watched, and ended here."""

import contextlib
import glob
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
APP = "bench.example"
START_SECONDS = 120


class Trouble(Exception):
    """Why a row cannot be measured; a sentence for people."""


def cores():
    """The cores of the server and of its client. They are the same where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def pinned(core, command):
    return command if core is None else ["taskset", "-c", str(core)] + command


def output(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Trouble(f"{' '.join(command[:6])} … failed ({done.returncode}): {done.stderr.strip()[-800:]}")
    return done.stdout


def program(name, *folders):
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *folders]))
    if not found:
        raise Trouble(f"{name} is not on this machine: install it (apt-get install nginx-light wrk nodejs postgresql)")
    return found


def postgres_program(name):
    """Of the newest Postgres that Debian installed, or of PATH."""
    newest = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))[-1:]
    return program(name, *newest)


def install_peers():
    """From Debian, when root; otherwise rows whose peer is missing say so."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *glob.glob("/usr/lib/postgresql/*/bin")])
    programs = {"nginx-light": ["nginx"], "wrk": ["wrk"], "postgresql": ["initdb", "pgbench", "psql"],
                "nodejs": ["node"], "util-linux": ["taskset"]}
    missing = [package for package, names in programs.items()
               if not all(shutil.which(name, path=places) for name in names)]
    if not missing or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
        subprocess.run(["apt-get", *arguments], stdout=subprocess.DEVNULL, check=False, env=environment)


def cpu_seconds(pid):
    """What all threads of a process that still run have had of a processor."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with contextlib.suppress(OSError), open(path) as file:
            total += int(file.read().split()[0])
    return total / 1e9


def memory(pid, name="VmRSS"):
    """Bytes of memory that a process has resident; with VmHWM the most it ever had."""
    with open(f"/proc/{pid}/status") as file:
        return 1_024 * int(re.search(rf"^{name}:\s+(\d+) kB$", file.read(), re.MULTILINE)[1])


class Process:
    def __init__(self, command, **options):
        self.process = subprocess.Popen(command, **options)
        self.pid = self.process.pid

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def postgres(folder):
    """A throw-away cluster with Postgres's own settings (fsync and synchronous_commit on), but for the size of the WAL,
    so that no checkpoint falls into one side of a pair. Gives the folder of its socket."""
    initdb = postgres_program("initdb")
    home = os.path.join(folder, "postgres")
    os.mkdir(home, 0o700)
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        record = pwd.getpwnam(user)
        os.chown(home, record.pw_uid, record.pw_gid)
        os.chmod(folder, 0o711)
    options = {"cwd": "/", "user": user, "group": user, "extra_groups": [] if user else None}
    data = os.path.join(home, "data")
    output([initdb, "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "trust"], **options)
    with open(os.path.join(folder, "postgres.log"), "wb") as log:
        server = Process(
            [os.path.join(os.path.dirname(initdb), "postgres"), "-D", data, "-k", home, "-c", "listen_addresses=",
             "-c", "max_wal_size=4GB", "-c", "checkpoint_timeout=1h"], stdout=log, stderr=log, **options)
    try:
        ready = [postgres_program("pg_isready"), "-q", "-h", home, "-U", "postgres"]
        until(lambda: subprocess.run(ready).returncode == 0, "Postgres does not start")
        yield home
    finally:
        # SIGINT: a fast shutdown, which waits for nobody.
        server.process.send_signal(signal.SIGINT)
        server.process.wait()


def until(is_done, trouble):
    deadline = time.monotonic() + START_SECONDS
    while not is_done():
        if time.monotonic() > deadline:
            raise Trouble(trouble)
        time.sleep(0.05)


class Database:
    """A database of the cluster whose socket is in a folder."""

    def __init__(self, socket, name):
        self.socket, self.name = socket, name
        self.url = f"postgresql:///{name}?host={socket}&user=postgres"


def psql(database):
    return [postgres_program("psql"), "-X", "-h", database.socket, "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-Atq",
            "-d", database.name]


def sql(database, text):
    return output([*psql(database), "-c", text]).strip()


def pgbench(database, scripts, clients, seconds):
    """Transactions a second, each of one of the scripts, prepared."""
    text = output([postgres_program("pgbench"), "-n", "-M", "prepared", "-h", database.socket, "-U", "postgres",
                   "-c", str(clients), "-j", "2", "-T", str(seconds),
                   *(f"--file={script}" for script in scripts), database.name])
    return float(re.search(r"^tps = ([0-9.]+)", text, re.MULTILINE).group(1))


class Registrar:
    """The program itself, in a release build."""

    path = os.path.join(ROOT, ".build/release/registrar")

    def __init__(self, database, folder, core=None, loops=None, cache=512, connections=None):
        command = [self.path, "serve", *self.database(database), "--data", folder, "--listen", "127.0.0.1:0",
                   "--cache-mib", str(cache)]
        if loops:
            command += ["--loops", str(loops)]
        if connections:
            command += ["--max-connections", str(connections), "--max-connections-per-address", str(connections)]
        self.started = time.monotonic()
        self.server = Process(pinned(core, command), stdout=subprocess.PIPE, text=True)
        line = self.server.process.stdout.readline()
        if not line.startswith("listening on "):
            raise Trouble("the registrar does not start")
        self.url = line.split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.pid = self.server.pid

    @staticmethod
    def database(database):
        return ["--database", database.url]

    @classmethod
    def prepare(cls, database, folder):
        """An app where ids are not asked to be bound: the registrar then never computes whether they are."""
        output([cls.path, "migrate", *cls.database(database)])
        key = os.path.join(folder, "admin.json")
        output([cls.path, "keygen", key])
        output([cls.path, "app", "create", APP, *cls.database(database), "--admin-key", key, "--bound-since", "never"])

    def key(self, user):
        """The path of a user's key."""
        return f"/apps/{APP}/keys/{user}"

    def metric(self, name):
        """A figure of `/metrics`."""
        text = get(self.url + "/metrics")[1].decode()
        return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1])

    def fill(self, users):
        """Asks for everybody once, so that all are in memory as far as they fit, and makes sure of the answers."""
        for start in range(0, len(users), 1_000):
            ids = json.dumps({"ids": users[start:start + 1_000]}).encode()
            # To read all of it would take longer than to make it.
            answer = get(f"{self.url}/apps/{APP}/resolve", ids)[1]
            if not answer.endswith(b'"unknown":[],"more":[]}'):
                raise Trouble(f"resolve does not answer all ids: … {answer[-200:]}")

    def stop(self):
        self.server.stop()
        self.server.process.stdout.close()


class Nginx:
    """One worker on one core; `location` is the configuration of its only location."""

    def __init__(self, folder, core, location, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        configuration = os.path.join(folder, f"nginx-{port}.conf")
        with open(configuration, "w") as file:
            file.write(f"""daemon off; worker_processes 1; pid {folder}/nginx-{port}.pid; error_log {folder}/nginx.log;
user {pwd.getpwuid(os.geteuid()).pw_name};
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on; client_max_body_size 1m;
  client_body_buffer_size 1m; client_body_temp_path {folder}/nginx-body; proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi; uwsgi_temp_path {folder}/nginx-uwsgi; scgi_temp_path {folder}/nginx-scgi;
  server {{ listen 127.0.0.1:{port}; {location} }} }}
""")
        self.server = Process(
            pinned(core, [program("nginx"), "-p", folder, "-c", configuration]), stderr=subprocess.DEVNULL)
        until(self.worker, "nginx has no worker")
        until(self.answers, "nginx does not answer")
        self.pid = self.worker()

    def worker(self):
        with contextlib.suppress(OSError), open(f"/proc/{self.server.pid}/task/{self.server.pid}/children") as file:
            children = file.read().split()
            return int(children[0]) if children else None
        return None

    def answers(self):
        with contextlib.suppress(OSError):
            get(self.url + "/")
            return True
        return False

    def stop(self):
        self.server.stop()


class Hummingbird:
    """The program of `HummingbirdPeer/`, with one loop on one core."""

    package = os.path.join(ROOT, "Benchmarks/HummingbirdPeer")
    path = os.path.join(package, ".build/release/hummingbird-peer")

    def __init__(self, core, answer, port):
        self.url = f"http://127.0.0.1:{port}"
        self.server = Process(pinned(core, [self.path, str(port), answer]), stderr=subprocess.DEVNULL)
        self.pid = self.server.pid
        until(self.listens, "the program on Hummingbird does not listen")

    @classmethod
    def version(cls):
        """The version that was resolved."""
        with open(os.path.join(cls.package, "Package.resolved")) as file:
            return next(pin["state"]["version"] for pin in json.load(file)["pins"] if pin["identity"] == "hummingbird")

    def listens(self):
        if self.server.process.poll() is not None:
            raise Trouble(f"the program on Hummingbird ends with {self.server.process.returncode}")
        try:
            get(self.url + "/")
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def stop(self):
        self.server.stop()


def get(url, body=None):
    """An answer's fields, as (name, value), and its bytes."""
    kind = {"Content-Type": "application/json"} if body is not None else {}
    with urllib.request.urlopen(urllib.request.Request(url, body, kind), timeout=60) as answer:
        return answer.getheaders(), answer.read()


def wrk(side, core, connections, seconds, **environment):
    """Loads a side from one thread; its figures, with the processor time of the server's process."""
    before = cpu_seconds(side.pid)
    text = output(
        pinned(core, [program("wrk"), "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-s",
                      os.path.join(ROOT, "Benchmarks/wrk.lua"), side.url]), env={**os.environ, **environment})
    figures = json.loads(re.search(r"^RESULT (.*)$", text, re.MULTILINE).group(1))
    if figures["errors"]:
        raise Trouble(f"{figures['errors']} of {figures['requests']} requests failed")
    figures["cpu"] = (cpu_seconds(side.pid) - before) / figures["requests"]
    return figures

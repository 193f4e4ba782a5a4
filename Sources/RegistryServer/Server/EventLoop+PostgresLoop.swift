public import Postgres
public import WebTransport

// Answers of the database resume on the thread that asked (docs/architecture.md): one loop carries both.
extension EventLoop: PostgresLoop {}
extension EventLoop.Watch: PostgresWatch {}
extension EventLoop.Timer: PostgresTimer {}

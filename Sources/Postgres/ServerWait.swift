/// How long one session has waited for its server, in COPY and in pipelines: for those who want to know where the time goes.
final class ServerWait {
    private(set) var total = Duration.zero

    /// Counts the time since a moment.
    func add(since start: ContinuousClock.Instant) {
        total += start.duration(to: .now)
    }
}

extension Connection {
    /// How long this session has waited for the server's rows, or until it took ours, in COPY and in pipelines.
    ///
    /// Where libpq has to read a COPY itself (see ``Transport``) the wait for rows is not counted.
    package var serverWait: Duration { waits.total }
}

extension Pipeline {
    /// How long the session has waited for the server.
    package var serverWait: Duration { connection.serverWait }
}

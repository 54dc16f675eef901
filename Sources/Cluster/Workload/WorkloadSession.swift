import Postgres

/// One session of a ``Workload``: connects, works, and goes where the switchboard says.
struct WorkloadSession {
    private let isWriter: Bool
    private let number: Int
    private let name: String
    private let switchboard: Switchboard
    private let workload: Workload
    private let clock = ContinuousClock()
    private var choice: OperationChoice
    private var pace: Pace?
    private var tally = WorkloadTally()
    /// The operation that was refused and is to be tried again.
    private var pending: (operation: Workload.Operation, numbers: [Int64])?
    /// The last acknowledged operation, and what happened since.
    private var last: (at: ContinuousClock.Instant, server: String)?
    private var leftAt: ContinuousClock.Instant?
    private var connectedAt: ContinuousClock.Instant?
    private var refusals = 0

    init(
        _ plan: Workload.Plan,
        writer isWriter: Bool,
        number: Int,
        _ switchboard: Switchboard,
        _ workload: Workload
    ) {
        self.isWriter = isWriter
        self.number = number
        name = "\(plan.name) \(isWriter ? "writer" : "reader") \(number + 1)"
        self.switchboard = switchboard
        self.workload = workload
        choice = OperationChoice(
            among: isWriter ? plan.operations : plan.readOperations,
            seed: plan.seed,
            session: isWriter ? number : 1000 + number
        )
        pace = (isWriter ? plan.rate : plan.readRate).map {
            Pace(rate: $0, session: number, of: isWriter ? plan.writers : plan.readers)
        }
    }

    /// Works until the workload stops.
    mutating func work() async throws {
        while !workload.isStopping {
            let line = switchboard.current
            if let last, last.server != line.name { leftAt = clock.now }
            do {
                try await withConnection(to: line.connection, application: name) { connection in
                    connectedAt = clock.now
                    try await use(connection, on: line)
                }
            } catch let error as PostgresError where error.isConnectionLoss && !Task.isCancelled {
                tally.errors[error.sqlState ?? "", default: 0] += 1
                workload.note(tally, writer: isWriter, number: number)
                switchboard.wait(after: line, atMost: .milliseconds(20))
            }
        }
    }

    /// Works on one server until the switchboard names another.
    private mutating func use(_ connection: Connection, on line: Switchboard.Line) async throws {
        while !workload.isStopping, switchboard.current == line {
            if pending == nil {
                try await pace?.wait()
                pending = choice.next()
            }
            guard let next = pending else { return }
            do throws(PostgresError) {
                let began = clock.now
                let rows = try connection.query(next.operation.statement, parameters: next.numbers)
                acknowledge(after: began, on: line)
                if let expected = next.operation.rows, rows.affected != expected {
                    surprise("P0002", Self.wrong(next.operation, rows.affected))
                }
            } catch {
                try fail(error, on: line)
            }
            workload.note(tally, writer: isWriter, number: number)
        }
    }

    private mutating func acknowledge(after began: ContinuousClock.Instant, on line: Switchboard.Line) {
        let now = clock.now
        pending = nil
        tally.acknowledged[line.name, default: 0] += 1
        tally.latency.add(began.duration(to: now))
        if let last { note(from: last, to: now, on: line) }
        last = (now, line.name)
        refusals = 0
    }

    private mutating func note(
        from last: (at: ContinuousClock.Instant, server: String),
        to now: ContinuousClock.Instant,
        on line: Switchboard.Line
    ) {
        let hasCrossed = last.server != line.name
        let left = hasCrossed ? max(last.at, leftAt ?? last.at) : last.at
        let connected = hasCrossed ? max(left, connectedAt ?? left) : left
        let pause = WorkloadTally.Pause(
            session: name,
            began: last.at,
            duration: last.at.duration(to: now),
            from: last.server,
            to: line.name,
            leaving: last.at.duration(to: left),
            connecting: left.duration(to: connected),
            refusals: refusals
        )
        tally.note(pause)
        if hasCrossed { tally.crossings.append(pause) }
    }

    /// Decides what becomes of an operation that failed; throws when the session cannot go on.
    private mutating func fail(_ error: PostgresError, on line: Switchboard.Line) throws {
        if Task.isCancelled { throw error }
        if error.isConnectionLoss {
            tally.unknown += 1
            pending = nil
            throw error
        }
        tally.errors[error.sqlState ?? "none", default: 0] += 1
        if error.sqlState == "25006" {
            tally.retries += 1
            refusals += 1
            switchboard.wait(after: line, atMost: .milliseconds(20))
        } else if error.isTransient {
            tally.retries += 1
        } else {
            pending = nil
            tally.firstSurprise = tally.firstSurprise ?? error
        }
    }

    /// Counts something that the operation says should not be.
    private mutating func surprise(_ sqlState: String, _ error: PostgresError) {
        tally.errors[sqlState, default: 0] += 1
        tally.firstSurprise = tally.firstSurprise ?? error
    }

    private static func wrong(_ operation: Workload.Operation, _ rows: Int) -> PostgresError {
        PostgresError(
            "operation \"\(operation.name)\" should have had \(operation.rows ?? 0) rows, and had \(rows)",
            sqlState: "P0002"
        )
    }
}

/// Spreads the operations of one session evenly over time.
struct Pace: Sendable {
    private let interval: Duration
    private var next: ContinuousClock.Instant

    /// The share of one of `count` sessions in a common rate; the sessions take turns.
    init(rate: Double, session: Int, of count: Int, from start: ContinuousClock.Instant = .now) {
        interval = .seconds(Double(count) / max(rate, 0.001))
        next = start + interval * Double(session) / Double(max(1, count))
    }

    /// Waits for this session's turn.
    ///
    /// One who is late catches up on ten turns, not on more.
    mutating func wait() async throws {
        let now = ContinuousClock.now
        if next > now { try await Task.sleep(until: next, clock: .continuous) }
        next = max(next, now - interval * 10) + interval
    }
}

import Catalog
import Foundation
import Postgres

/// Runs one lane for as long as its stream lasts, and leaves behind the tables whose changes the target does not take.
///
/// A group that failed has left nothing on the target, so the lane goes on from its row of
/// `martlet.position` as after a restart: first with the target's catalog read again, if that has
/// changed; otherwise without the table that is at fault. That table gets a row of its own with the
/// lane's position and the failure, and stands still. Later the lane comes back to it: a lane for that
/// table alone applies what lies between its position and the common one, and the row goes.
///
/// Worked example: the source adds a column and inserts at 0/300; the lane stands at 0/200. The target
/// lacks the column: row (unit t, 0/200), the lane goes on to 0/900. The column is added on the target.
/// At the next visit the changes of t from 0/200 to 0/900 are applied; from there the lane takes it along.
struct LaneRunner {
    private enum End {
        /// The end that was given is reached, or it is time to come back.
        case done
        case failed(PostgresError, table: UInt32?)
    }

    private let plan: FollowPlan
    private let number: Int
    private let follower: Follower
    private var schema: Schema
    private var position: LSN
    private var offset: UInt64
    private var standing: [UInt32: Standstill]
    /// Tables that were dropped on both servers while they stood still.
    private var gone: Set<UInt32> = []
    /// The tables that somebody else takes care of, as of the last look, and the count of that.
    private var asked: (tables: Set<UInt32>, count: Int) = ([], 0)
    /// How often the catalog was read again without a step forward.
    private var readings = 0

    init(_ plan: FollowPlan, number: Int, positions: Positions, schema: Schema, follower: Follower) {
        self.plan = plan
        self.number = number
        self.follower = follower
        self.schema = schema
        position = positions.lanes[number]
        offset = follower.spool.start
        standing = positions.standing[number] ?? [:]
    }

    /// Applies until the task is cancelled, or until something fails that is not a single table's fault.
    mutating func run() async throws {
        while true {
            try await doWhatIsAsked()
            publish()
            try await pickUp()
            let going = plan.tables.filter {
                $0.value.lane == number && standing[$0.key] == nil && !gone.contains($0.key)
            }
            var configuration = configuration(of: going.mapValues(\.watermark), from: offset)
            configuration.until = nextVisit
            switch try await runLane(configuration, from: position) {
            case (.done, let end):
                offset = end
                position = try await reached() ?? position
            case (.failed(let error, let table), let end):
                offset = end
                try await recover(from: error, at: table)
            }
        }
    }

    // MARK: Running

    private func configuration(of tables: [UInt32: LSN], from offset: UInt64) -> Lane.Configuration {
        Lane.Configuration(
            stream: plan.stream,
            number: number,
            asked: asked.count,
            from: offset,
            tables: tables,
            truncated: plan.truncated,
            others: Set(plan.tables.keys.filter { tables[$0] == nil }),
            referenced: plan.referenced,
            format: plan.isBinary ? .binary : .text,
            maps: plan.maps
        )
    }

    /// Runs a lane in a session of its own; returns how it ended, and where in the spool.
    ///
    /// - Throws: when the session is lost, or the task cancelled.
    private func runLane(_ configuration: Lane.Configuration, from position: LSN) async throws -> (End, UInt64) {
        try await withNeutralConnection(
            to: plan.target,
            application: "martlet apply \(number)",
            encoding: plan.encoding
        ) { connection in
            try connection.execute(
                """
                \(plan.sessionRole.settings); SET plan_cache_mode = force_generic_plan; SET jit = off;
                SET lock_timeout = '30s'
                """
            )
            var lane: Lane?
            do {
                try connection.pipeline { pipeline throws(PostgresError) in
                    let new = try Lane(
                        configuration,
                        position: position,
                        schema: schema,
                        spool: follower.spool,
                        state: follower.state,
                        changedKeys: follower.changedKeys,
                        pipeline: pipeline
                    )
                    lane = new
                    try new.run()
                }
                return (.done, lane?.offset ?? configuration.from)
            } catch let error as PostgresError where !error.isConnectionLoss && error != .cancelled {
                return (.failed(error, table: lane?.culprit), lane?.offset ?? configuration.from)
            }
        }
    }

    /// The lane's position, safe on the target.
    private func reached() async throws -> LSN? {
        try await withNeutralConnection(to: plan.target) { target in
            try Positions.durable(plan, lane: number, on: target)
        }
    }

    // MARK: Leaving a table behind

    /// Goes on with the target as it is defined now, or else without the table that is at fault.
    private mutating func recover(from error: PostgresError, at table: UInt32?) async throws {
        let (present, reached) = try await withNeutralConnection(to: plan.target) { target in
            (try Schema(target), try Positions.durable(plan, lane: number, on: target) ?? position)
        }
        if Refusal.isOfDefinitions(error), !present.hasSameRows(as: schema), readings < 3 {
            readings = reached == position ? readings + 1 : 0
            (position, schema) = (reached, present)
            return
        }
        (position, schema, readings) = (reached, present, 0)
        guard let table, Refusal.isOfTable(error) else { throw error }
        try await stop(table, because: error)
    }

    /// Leaves a table behind at the lane's position.
    private mutating func stop(_ relation: UInt32, because error: PostgresError) async throws {
        let name = try await nameOnSource(relation) ?? error.table ?? QualifiedName(schema: "", name: "\(relation)")
        let table = Standstill(
            relation: relation,
            table: name,
            position: position,
            offset: offset,
            because: try await explained(error, of: name)
        )
        try await withNeutralConnection(to: plan.target) { try Positions.save(table, plan, lane: number, on: $0) }
        standing[relation] = table
    }

    /// Leaves tables behind that somebody else takes care of; those that are given back are tried again as if for the first time.
    ///
    /// What is asked later ends the lane, and is done here then; `publish` tells that it is done.
    private mutating func doWhatIsAsked() async throws {
        let present = follower.state.current
        for relation in asked.tables.subtracting(present.asked) {
            standing[relation]?.next = .now
            standing[relation]?.tries = 0
        }
        asked = (present.asked, present.askedCount)
        for relation in asked.tables where plan.tables[relation]?.lane == number && standing[relation] == nil {
            try await stop(relation, because: PostgresError("it is being brought into line"))
        }
    }

    private func nameOnSource(_ relation: UInt32) async throws -> QualifiedName? {
        try await withNeutralConnection(to: plan.source) { source in
            let row = try source.query(
                """
                SELECT nspname, relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
                 WHERE c.oid = $1::oid
                """,
                relation
            ).first
            guard let row else { return nil }
            return QualifiedName(schema: try row("nspname"), name: try row("relname"))
        }
    }

    /// The failure, with the statements that would mend it when the two servers define the table otherwise.
    private func explained(_ error: PostgresError, of table: QualifiedName) async throws -> PostgresError {
        let drift = try await withNeutralConnection(to: plan.source) { source in
            try await withNeutralConnection(to: plan.target) { target in
                try Drift.find(from: source, to: target, as: plan.maps.counterparts)
            }
        }.filter {
            $0.table == plan.maps.target(of: table) || $0.table == nil && error.sqlState == Refusal.unknownLabel
        }
        guard !drift.isEmpty, !Refusal.isOfStrangers(error) else { return error }
        var error = error
        let statements = drift.map { $0.remedy.text + ";" }.joined(separator: "\n")
        error.hint =
            error.sqlState == Refusal.unruledColumn
            ? "Run on \(plan.target.place), then stop martlet migrate and start it again:\n\(statements)"
            : "Run on \(plan.target.place), then the table goes on by itself:\n\(statements)"
        return error
    }

    // MARK: Coming back to a table

    private var nextVisit: ContinuousClock.Instant? {
        standing.values.filter { !asked.tables.contains($0.relation) }.map(\.next).min()
    }

    /// Brings the tables whose time has come up to where the lane is.
    private mutating func pickUp() async throws {
        let due = standing.values.filter { $0.next <= .now && !asked.tables.contains($0.relation) }
        for var table in due where try await prepare(&table) {
            guard let watermark = plan.tables[table.relation]?.watermark else { continue }
            var configuration = configuration(of: [table.relation: watermark], from: table.offset)
            configuration.unit = table.relation
            configuration.end = position
            let (end, offset) = try await runLane(configuration, from: table.position)
            table.offset = offset
            switch end {
            case .done: try await takeAlong(table)
            case .failed(let error, _):
                guard Refusal.isOfTable(error) else { throw error }
                table.fail(because: try await explained(error, of: table.table))
                standing[table.relation] = table
                let failed = table
                try await withNeutralConnection(to: plan.target) {
                    try Positions.save(failed, plan, lane: number, on: $0)
                }
            }
            publish()
        }
    }

    /// Reads where a table and its lane are; false when there is nothing to apply to it now.
    private mutating func prepare(_ table: inout Standstill) async throws -> Bool {
        let unit = table.relation
        let (present, lane, own) = try await withNeutralConnection(to: plan.target) { target in
            (
                try Schema(target), try Positions.durable(plan, lane: number, on: target),
                try Positions.durable(plan, lane: number, unit: unit, on: target)
            )
        }
        schema = present
        position = lane ?? position
        table.position = own ?? table.position
        if schema.table(named: plan.maps.target(of: table.table)) == nil, try await nameOnSource(unit) == nil {
            try await takeAlong(table)
            gone.insert(unit)
            return false
        }
        // A table that was copied again may be ahead of its lane.
        guard table.position <= position else {
            table.next = .now + .milliseconds(200)
            standing[unit] = table
            return false
        }
        return true
    }

    /// From the lane's position on the table is applied with the others.
    private mutating func takeAlong(_ table: Standstill) async throws {
        try await withNeutralConnection(to: plan.target) {
            try Positions.remove(table.relation, plan, lane: number, on: $0)
        }
        standing[table.relation] = nil
    }

    private func publish() {
        let (number, standing, answered) = (number, standing, asked.count)
        follower.state.update {
            $0.lanes[number].standing = standing
            $0.lanes[number].answered = answered
        }
    }
}

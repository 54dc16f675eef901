import Catalog
import Foundation
import Postgres

/// Applies the changes of some tables, in their order, exactly once.
///
/// A lane is one session on the target and one row of `martlet.position`. It reads the spool from
/// end to end and takes what belongs to its tables. Changes are gathered into a group; the group is
/// sent as sets of rows, and the row of `martlet.position` moves in the same transaction, so that a
/// crash can neither lose nor repeat a change. A group closes when nothing more is waiting (in a
/// stream in full flow, 10 ms after it began), at 10,000 changes, or at 8 MiB; never in the middle of
/// a transaction of the source.
///
/// A set can collide where the rows one by one did not (two rows that swap a unique value). Then the
/// group is rolled back and replayed row by row in the order of the source. A row that is not there
/// when it must be changed, or that the target refuses, stops the lane with its key.
///
/// Worked example: the source commits at 0/100 (insert 1), 0/200 (update 1) and 0/300 (delete 2).
/// The lane reads all three before it is idle: one INSERT of the updated row 1, one DELETE of row 2,
/// position 0/300, one commit. Killed before the commit, it starts again at the old position.
final class Lane {
    struct Configuration: Sendable {
        /// Which way the changes go; the key of `martlet.position` together with the number.
        let stream: String
        let number: Int
        /// The table that stood still and is brought up to `end`; 0 for all that go on.
        var unit: UInt32 = 0
        /// Transactions whose commit record begins here or later are left to somebody else.
        var end: LSN?
        /// When to come back, to see after tables that stand still.
        var until: ContinuousClock.Instant?
        /// How often it had been changed which tables are to stand still, when the lane was made.
        let asked: Int
        /// Where in the spool to begin to read; every frame before is of transactions that were applied.
        let from: UInt64
        /// The tables of this lane by their OID on the source, with the position from which changes count.
        let tables: [UInt32: LSN]
        /// Those that a TRUNCATE in the transaction at their position emptied while they were copied.
        let truncated: Set<UInt32>
        /// The tables of the other lanes: changes to be passed over.
        let others: Set<UInt32>
        /// Tables that a foreign key points at.
        let referenced: Set<UInt32>
        let format: ValueFormat
        /// The tables that are not the same on the target.
        let maps: TableMaps
    }

    static let groupRows = 10_000
    static let groupBytes = 8 << 20

    /// A group that has this many changes when nothing more is waiting belongs to a stream in full flow.
    private static let flowRows = 256
    /// How long such a group stays open for more: fewer, larger groups are less work for the target.
    private static let flowTime = Duration.milliseconds(10)

    let configuration: Configuration
    let state: FollowState
    let changedKeys: ChangedKeys
    let schema: Schema
    let pipeline: Pipeline
    let spool: Spool
    var encoder: RowEncoder
    let keyBytes = Bytes(capacity: 256)
    let scratch = Bytes()

    let tables: LaneTables
    private var reader: SpoolReader
    private let savePosition: PreparedStatement

    /// Where the lane stands: the end of the last transaction it has taken in.
    private var position: LSN
    private var saved: LSN
    private var lastDurable: ContinuousClock.Instant?
    private var group = Group()
    private var transaction: LSN?
    /// The tables whose changes are void until the running transaction truncates them.
    private var void: Set<UInt32> = []
    private var isOver = false

    /// What was done since it was told last; only this lane's task counts in it.
    var tally = LaneTally()
    private var watch = Stopwatch()
    private var waited = Duration.zero

    /// The relation whose change the lane failed at, when it failed at one.
    var culprit: UInt32?

    /// Where in the spool to read on after the lane has ended: everything before is applied.
    var offset: UInt64 { group.start ?? group.end }

    /// What has been taken since the last commit on the target.
    private struct Group {
        var start: UInt64?
        var began = ContinuousClock.now
        /// The lane's position before the first transaction of the group.
        var base = LSN.zero
        var end: UInt64 = 0
        var isOpen = false
        var changes = 0
        /// As ``changes``, those that were sent before the group's end counted, too.
        var allChanges = 0
        var bytes = 0
        var transactions = 0
        var lastCommitTime: Int64 = 0
        var heartbeats: [Double] = []
    }

    init(
        _ configuration: Configuration,
        position: LSN,
        schema: Schema,
        spool: Spool,
        state: FollowState,
        changedKeys: ChangedKeys,
        pipeline: Pipeline
    ) throws(PostgresError) {
        self.configuration = configuration
        self.position = position
        saved = position
        self.schema = schema
        self.spool = spool
        self.state = state
        self.changedKeys = changedKeys
        self.pipeline = pipeline
        encoder = RowEncoder(format: configuration.format)
        tables = LaneTables(others: configuration.others)
        // Every segment begins with the descriptions of all tables.
        reader = SpoolReader(spool: spool, from: spool.segment(holding: configuration.from)?.start ?? spool.start)
        group.end = configuration.from
        let pgLSN: UInt32 = 3220
        savePosition = try pipeline.prepare(
            """
            UPDATE martlet.position SET lsn = $1
             WHERE stream = \(literal: configuration.stream) AND lane = \(configuration.number)
               AND unit = \(configuration.unit)
            """,
            types: [pgLSN]
        )
        try pipeline.send("SET synchronous_commit = off")
        try pipeline.synchronize()
    }

    /// Applies until the end that was given, or until it is time to come back.
    ///
    /// - Throws: when the task is cancelled or something fails; ``culprit`` tells at which table.
    func run() throws(PostgresError) {
        report(through: position)
        while !isOver {
            if Task.isCancelled { throw .cancelled }
            if let frame = try reader.next() {
                try take(frame)
            } else {
                try idle()
            }
        }
    }

    // MARK: Reading

    private func take(_ frame: SpoolReader.Frame) throws(PostgresError) {
        switch PgOutput.kind(of: frame.payload) {
        case .begin: try begin(PgOutput.Begin(frame.payload), at: frame.start)
        case .commit: try commit(PgOutput.Commit(frame.payload), end: frame.end)
        case .relation: try learn(frame.payload)
        case .insert, .update, .delete:
            let relation = PgOutput.relation(of: frame.payload)
            guard let entry = try counted(relation), !void.contains(relation) else { return }
            try change(frame, entry.table, entry.statements)
            group.changes += 1
            group.allChanges += 1
            group.bytes += frame.length
            if group.changes >= Self.groupRows || group.bytes >= Self.groupBytes { try sendWithinTransaction() }
        case .truncate:
            let message = PgOutput.Truncate(frame.payload)
            void.subtract(message.relations)
            try truncate(message)
        case .message where frame.large == nil: note(PgOutput.Message(frame.payload))
        case .message, .origin, .type, nil: break
        }
    }

    private func begin(_ begin: PgOutput.Begin, at offset: UInt64) throws(PostgresError) {
        if let end = configuration.end, begin.commit >= end {
            try commitGroup()
            isOver = true
            return
        }
        if begin.commit >= state.limit || state.isPaused {
            try commitGroup()
            report(through: begin.commit)
            try park(until: begin.commit)
        }
        transaction = begin.commit
        void = voided(by: begin.commit)
        guard group.start == nil else { return }
        group.start = offset
        group.began = .now
        group.base = position
    }

    private func commit(_ commit: PgOutput.Commit, end: UInt64) throws(PostgresError) {
        defer { transaction = nil }
        group.end = end
        guard commit.end > position else { return }
        position = commit.end
        group.transactions += 1
        group.lastCommitTime = commit.time
        let isFull = group.changes >= Self.groupRows || group.bytes >= Self.groupBytes
        // A lane that is busy passing over other lanes' changes still has to give up the spool.
        let isLong = group.transactions % 256 == 0 && isDurabilityDue
        if isFull || isLong {
            try commitGroup()
            isOver = isDue
        }
    }

    /// Whether somebody has to see after a table of this lane.
    private var isDue: Bool {
        if let until = configuration.until, .now >= until { return true }
        return configuration.unit == 0 && state.askedCount != configuration.asked
    }

    /// The tables that a transaction truncates, and whose copy lacks the rows that its earlier changes look for.
    func voided(by commit: LSN) -> Set<UInt32> {
        configuration.truncated.filter { configuration.tables[$0] == commit }
    }

    /// Whether the running transaction was applied by an earlier run.
    private var isPassedOver: Bool { transaction.map { $0 < position } ?? true }

    /// The table of a relation, when a change of the running transaction counts for it.
    func counted(_ relation: UInt32) throws(PostgresError) -> LaneTables.Entry? {
        switch tables.place(of: relation) {
        case .here(let entry):
            guard !isPassedOver, let transaction, transaction >= entry.table.watermark else { return nil }
            return entry
        case .elsewhere: return nil
        case .refused:
            guard !isPassedOver, let transaction, let watermark = configuration.tables[relation],
                transaction >= watermark, let failure = tables.failure(of: relation)
            else { return nil }
            culprit = relation
            throw failure
        case .unknown:
            guard isPassedOver else { throw unknown(relation) }
            return nil
        }
    }

    private func note(_ message: PgOutput.Message) {
        guard configuration.number == 0, message.prefix == Heartbeat.prefix, !isPassedOver else { return }
        if let sent = Heartbeat.time(of: message.content) { group.heartbeats.append(sent) }
    }

    // MARK: Waiting

    private func idle() throws(PostgresError) {
        if transaction == nil {
            if group.changes >= Self.flowRows, group.began.duration(to: .now) < Self.flowTime {
                // Not a wait for the spool, which would wake us for every few messages.
                var wait = Stopwatch()
                usleep(2000)
                tally.inputSeconds += wait.lap()
                return
            }
            try commitGroup()
            report(through: max(position, reader.seen.through))
            isOver = isDue || configuration.end != nil
            if isOver { return }
        }
        var wait = Stopwatch()
        spool.wait(beyond: reader.seen, until: .now + .milliseconds(200))
        tally.inputSeconds += wait.lap()
    }

    private func park(until commit: LSN) throws(PostgresError) {
        let number = configuration.number
        var wait = Stopwatch()
        defer { tally.parkedSeconds += wait.lap() }
        state.update { $0.lanes[number].isParked = true }
        // A pause that ends rings no bell.
        while state.limit <= commit || state.isPaused {
            if Task.isCancelled { throw .cancelled }
            let step = ContinuousClock.now + .milliseconds(200)
            _ = state.wait(until: step) { _ in state.limit > commit && !state.isPaused || Task.isCancelled }
        }
        state.update { $0.lanes[number].isParked = false }
    }

    private func report(through: LSN) {
        guard configuration.unit == 0 else { return }
        let number = configuration.number
        let (saved, end) = (saved, group.end)
        let isSaved = position == saved
        state.update {
            $0.lanes[number].applied = max($0.lanes[number].applied, through)
            // With nothing unsaved, all that was passed over is as safe as what was saved.
            $0.lanes[number].durable = max($0.lanes[number].durable, isSaved ? saved : .zero)
            if isSaved { $0.lanes[number].keepFrom = max($0.lanes[number].keepFrom, end) }
        }
    }

    // MARK: Committing

    private func sendWithinTransaction() throws(PostgresError) {
        try open()
        for (table, statements) in tables.all { try send(table, statements) }
        group.changes = 0
        group.bytes = 0
    }

    /// Opens the group's transaction on the target.
    func open() throws(PostgresError) {
        guard !group.isOpen else { return }
        let tag = pipeline.tag
        defer { pipeline.tag = tag }
        pipeline.tag = 0
        try pipeline.send("BEGIN")
        try pipeline.send("SET CONSTRAINTS ALL DEFERRED")
        group.isOpen = true
    }

    /// Whether a second has passed since the position was last made durable, whatever the clock on the wall says.
    private var isDurabilityDue: Bool {
        lastDurable.map { $0.duration(to: .now) >= .seconds(1) } ?? true
    }

    private func commitGroup() throws(PostgresError) {
        let hasChanges = group.isOpen || group.changes > 0
        // A lane without work moves its position once a second, so that the spool can be given up.
        let isDue = position > saved && isDurabilityDue
        guard hasChanges || isDue else { return finishGroup(rows: false) }
        do {
            try open()
            for (table, statements) in tables.all { try send(table, statements) }
            pipeline.tag = 0
            try commitOpenGroup(isDurable: isDue)
        } catch  where Refusal.isOfRows(error) {
            try replay(after: error)
        } catch {
            let table = tables[UInt32(truncatingIfNeeded: pipeline.failedTag)]?.table
            culprit = table?.relation ?? culprit
            throw Refusal.explain(error, of: table)
        }
        finishGroup(rows: hasChanges)
    }

    private func commitOpenGroup(isDurable: Bool) throws(PostgresError) {
        if isDurable { try pipeline.send("SET LOCAL synchronous_commit = on") }
        try withUnsafeBytes(of: position.value.bigEndian) { bytes throws(PostgresError) in
            try pipeline.send(savePosition, [bytes], expecting: 1)
        }
        // The numbers of rows are known before the commit is sent, so a wrong one never stays.
        try pipeline.synchronize()
        try pipeline.send("COMMIT")
        try pipeline.synchronize()
        if isDurable {
            saved = position
            lastDurable = .now
        }
    }

    private func finishGroup(rows: Bool) {
        let done = group
        group = Group()
        group.end = done.end
        tables.keep()
        let lag = Date().timeIntervalSince1970 * 1000
        let isFirst = configuration.number == 0
        let sent = tally.rows
        state.count { counters in
            counters.rows += sent
            counters.groups += rows ? 1 : 0
            counters.changes += done.allChanges
            if isFirst { counters.transactions += done.transactions }
            counters.lastCommitTime = max(counters.lastCommitTime, done.lastCommitTime)
            if let sent = done.heartbeats.last { counters.heartbeatMilliseconds = lag - sent }
        }
        tally.groups += rows ? 1 : 0
        tally.changes += done.allChanges
        tally.transactions += done.transactions
        tally.largestGroup = max(tally.largestGroup, done.allChanges)
        publishTally()
        report(through: position)
    }

    /// Tells where the time went since the last time.
    private func publishTally() {
        let now = pipeline.serverWait
        tally.seconds = watch.lap()
        tally.serverSeconds = (now - waited) / .seconds(1)
        waited = now
        state.stages.add(tally)
        tally = LaneTally()
    }

    // MARK: Replaying

    /// Does the same group again, row by row, in the order of the source.
    private func replay(after failure: PostgresError) throws(PostgresError) {
        // Whose fault it is will be known better.
        culprit = nil
        try pipeline.send("ROLLBACK")
        try pipeline.synchronize()
        tables.goBack()
        for (table, statements) in tables.all {
            table.changes.removeAll()
            statements.forget()
            if failure.table == nil || failure.table == table.name { table.trip() }
        }
        state.count { $0.replays += 1 }
        // An exclusion constraint is unique in its own way.
        if ["23505", "23P01"].contains(failure.sqlState) {
            tally.fallbacks.uniqueReplays += 1
        } else {
            tally.fallbacks.otherReplays += 1
        }
        guard let start = group.start else { throw failure }
        let (base, end, finish) = (group.base, group.end, position)
        var again = SpoolReader(spool: spool, from: start)
        var replay = Replay(lane: self)
        do {
            group.isOpen = false
            try open()
            while again.offset < end, let frame = try again.next() {
                pipeline.tag = frame.start
                try replay.take(frame, from: base)
            }
            // What fails from here on is no single row's fault.
            pipeline.tag = end
            position = finish
            try commitOpenGroup(isDurable: true)
        } catch  where !error.isConnectionLoss && error != .cancelled {
            let (explained, relation) = Replay.explain(error, at: pipeline.failedTag, lane: self)
            // What is checked at the commit is about no single row.
            culprit = culprit ?? relation ?? tables.all.first { $0.table.name == error.table }?.table.relation
            throw explained
        }
    }
}

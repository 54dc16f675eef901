import Catalog
import Engine
import Postgres
import Sync

/// What is in the way of a switch.
extension Crossing {
    /// Says what would be in the way, and changes nothing.
    func rehearse(_ follower: Follower, _ ask: Ask.Switch) async throws -> Ask.DryRun {
        let crossing = try await refreshed()
        var obstacles = try await crossing.obstacles(ask, follower)
        let isPaused = try await withNeutralConnection(to: run.endpoints.target) { try Journal.paused(on: $0) != nil }
        if isPaused {
            obstacles.append("the move is paused (martlet resume)")
        } else if try await follower.measureLag(on: left, within: Self.longestStretch) == nil {
            obstacles.append("the stream is more than \(Self.longestStretch.components.seconds) seconds behind")
        }
        return try await withNeutralConnection(to: left) { [obstacles] server in
            let sessions = try server.query(
                """
                SELECT count(*) AS sessions FROM pg_stat_activity
                 WHERE datname = current_database() AND backend_type = 'client backend'
                   AND application_name NOT LIKE 'martlet%'
                """
            ).first
            return Ask.DryRun(
                obstacles: obstacles,
                tables: crossing.selection.tables.count,
                sequences: try Sequence.readAll(server).count,
                lagBytes: run.monitor.report.lag?.bytes ?? 0,
                sessions: try sessions?("sessions") ?? 0
            )
        }
    }

    /// What keeps the switch from being begun, in words.
    func obstacles(_ ask: Ask.Switch, _ follower: Follower) async throws -> [String] {
        var obstacles: [String] = []
        let prepared = try await withNeutralConnection(to: left) { server in
            try server.query("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
                .map { row throws(PostgresError) in try row("gid", as: String.self) }
        }
        obstacles += prepared.map { "prepared transaction \"\($0)\" holds locks on the server that is left" }
        obstacles += try await withNeutralConnection(to: left) { server in
            // What it writes fires no trigger for statements, and so passes the fence.
            try server.query(PreflightSQL.subscriptions).compactMap { row throws(PostgresError) in
                guard try row("is_enabled") else { return nil }
                let name = Identifier(try row("name"))
                return "subscription \(name.quoted) would write on to the server that is left "
                    + "(ALTER SUBSCRIPTION \(name.quoted) DISABLE)"
            }
        }
        obstacles += try await newTables().map { "table \"\($0)\" was made since and is not moved" }
        obstacles += replaced.map {
            "table \"\($0)\" was dropped and made anew, or detached, so that its changes do not come any more (drop it on both "
                + "servers, or begin again: martlet abort, martlet migrate)"
        }
        obstacles += follower.standing.map { "table \"\($0.table)\" stands still: \($0.message)" }
        obstacles += try await drift().map { "\($0.text); run on \(entered.place): \($0.remedy.text)" }
        obstacles += try await unruledColumns().map {
            "column \($0) was added after the rules of the mapping were applied (stop martlet migrate, and start it again)"
        }
        if direction == .reverse || ask.keepsWayBack { obstacles += try await obstaclesOfLargeObjects() }
        if direction == .forward, ask.keepsWayBack { obstacles += try await obstaclesOfWayBack() }
        return obstacles
    }

    /// What keeps changes from flowing back after a cutover.
    private func obstaclesOfWayBack() async throws -> [String] {
        var obstacles: [String] = []
        let oneWay = selection.tables.compactMap { selection.mapped[$0.oid] }.filter { !$0.map.isReversible }
        obstacles += oneWay.map(\.map.source).sorted().prefix(5).map {
            "rows of table \"\($0)\" cannot come back as the mapping changes them (give up the way back with --no-rollback)"
        }
        let major = try await withNeutralConnection(to: entered) { $0.majorVersion }
        obstacles += selection.tables.filter { selection.schema.cannotBePublished($0, by: major) }.map {
            "table \"\($0.name)\" with generated columns can be named by nothing but the whole row, and PostgreSQL \(major) would "
                + "refuse its UPDATE if changes flowed back (give it a primary key, or give up the way back with --no-rollback)"
        }
        let (level, free) = try await withNeutralConnection(to: entered) { server in
            let row = try server.query(
                """
                SELECT current_setting('wal_level') AS level, current_setting('max_replication_slots')::int
                       - (SELECT count(*) FROM pg_replication_slots) AS free
                """
            ).first
            return (try row?("level", as: String.self) ?? "", try row?("free", as: Int.self) ?? 0)
        }
        if level != "logical" {
            obstacles.append(
                "wal_level of the target is \(level), so changes cannot flow back "
                    + "(set it to logical and restart, or give up the way back with --no-rollback)"
            )
        }
        if let denial = try await Probe.replicationDenial(at: entered) {
            obstacles.append(
                "the target refuses the stream of the way back: \(denial.message) "
                    + "(grant the right, or give up the way back with --no-rollback)"
            )
        }
        if free < 1 { obstacles.append("the target has no free replication slot for the way back") }
        return obstacles
    }

    /// A rollback of a part of a database has to tell which large objects were changed on which server.
    private func obstaclesOfLargeObjects() async throws -> [String] {
        guard try await !run.sourceSelection().excluded.isEmpty,
            try await withNeutralConnection(to: left, { try LargeObjects.areThere(on: $0) })
        else { return [] }
        var obstacles: [String] = []
        for (place, name) in [(run.endpoints.source, "source"), (run.endpoints.target, "target")]
        where try await withNeutralConnection(to: place, { try !LargeObjects.canLook(into: $0) }) {
            obstacles.append(
                "with tables that are not moved, a rollback has to tell which large objects were changed, and the role may not read "
                    + "pg_largeobject on the \(name) (GRANT pg_read_all_data, or GRANT SELECT ON pg_largeobject"
                    + (direction == .forward ? "; or give up the way back with --no-rollback)" : ")")
            )
        }
        return obstacles
    }

    /// How tables that are moved have become different from what they are to be.
    func drift() async throws -> [Drift] {
        // The rules of a mapping may say something about a column that was added meanwhile.
        let maps =
            direction == .forward && run.options.mapping != nil
            ? try await run.sourceSelection().maps : selection.maps
        let moved = Set(selection.tables.map { maps.target(of: $0.name) })
        return try await withNeutralConnection(to: left) { left in
            try await withNeutralConnection(to: entered) { entered in
                try Drift.find(from: left, to: entered, as: maps.counterparts).filter {
                    $0.table.map { moved.contains($0) } ?? true
                }
            }
        }
    }

    /// Columns of the source that the rules of the mapping could be about, and that this run does not know.
    private func unruledColumns() async throws -> [String] {
        guard direction == .forward, run.options.mapping != nil else { return [] }
        // A partition has the columns of the table that it is part of.
        return try await run.sourceSelection().tables.filter { !$0.isPartition }.flatMap { table in
            table.columns.filter { !plan.maps.knows($0.identifier, of: table.name) }
                .map { "\"\($0.name)\" of table \"\(table.name)\"" }
        }
    }

    /// What lets writers in on the old server, after a cutover: somebody has opened the fence, or taken it down.
    func gapsOfFence() async throws -> [String] {
        let tables = try await run.sourceSelection().tables
        return try await withNeutralConnection(to: run.endpoints.source) { source in
            guard try !Fence.isOpen(on: source) else {
                return ["the fence on the old server was opened: writers are let in there"]
            }
            let fenced = Set(try Fence.tables(on: source, holding: true))
            return tables.map(\.name).filter { !fenced.contains($0) }.map {
                "table \"\($0)\" of the old server has no trigger martlet_fence that is ENABLE ALWAYS: writers are let in there"
            }
        }
    }

    /// Tables that the other server lacks because they were made during the move.
    func newTables() async throws -> [QualifiedName] {
        let now = direction == .forward ? try await run.sourceSelection() : try await run.targetSelection()
        let other = try await withNeutralConnection(to: entered) { try Schema($0) }
        return now.tables.map(\.name).filter { other.table(named: now.maps.target(of: $0)) == nil }
    }
}

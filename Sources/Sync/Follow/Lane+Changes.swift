import Postgres

extension Lane {
    /// Takes one change: into the table's set, or straight to the server where the order counts.
    func change(
        _ frame: SpoolReader.Frame,
        _ table: LaneTable,
        _ statements: ApplyStatements
    ) throws(PostgresError) {
        let kind = PgOutput.kind(of: frame.payload)
        pipeline.tag = UInt64(table.relation)
        if let large = frame.large {
            // It goes alone, after what came before it.
            try send(table, statements)
            tally.fallbacks.largeRows += 1
            return try sendRow(kind, LargeRow(large, in: spool), table, statements)
        }
        var row = PgOutput.Row(frame.payload)
        complete(&row, of: table)
        guard table.mode == .folded else {
            return try changeInOrder(kind, row, table, statements)
        }
        switch (kind, row.old, row.new) {
        case (.insert, _, .some(let new)):
            table.keyPlaces.isEmpty ? table.changes.addKeyless(new) : table.changes.add(.insert, new)
        case (.update, .some(let old), .some(let new)) where !table.changes.isSameKey(old, new):
            // The new key may have been another row's a moment ago: what came before has to go first.
            try send(table, statements)
            tally.fallbacks.keyChanges += 1
            try sendRow(kind, row, table, statements)
        case (.update, _, .some(let new)): table.changes.add(.update, new)
        case (.delete, .some(let old), _): table.changes.add(.delete, old)
        default: throw malformed(table)
        }
    }

    /// Takes a change of a table whose changes are not folded.
    ///
    /// Inserts that follow each other go as one set when rows have no key, because nothing tells such
    /// rows apart. Any other change comes after them. SQL knows no set of rows without columns.
    private func changeInOrder(
        _ kind: PgOutput.Kind?,
        _ row: PgOutput.Row,
        _ table: LaneTable,
        _ statements: ApplyStatements
    ) throws(PostgresError) {
        if kind == .insert, table.keyPlaces.isEmpty, !table.columns.isEmpty, let new = row.new {
            return table.changes.addKeyless(new)
        }
        try send(table, statements)
        tally.fallbacks.orderedRows += 1
        try sendRow(kind, row, table, statements)
    }

    /// Gives the new tuple the values that were not sent because they did not change, where the old tuple has them.
    ///
    /// A whole old tuple has all of them. One with the key only has `n` for the rest, which means
    /// "not sent" there, so only key columns may be taken from it.
    func complete(_ row: inout PgOutput.Row, of table: LaneTable) {
        guard let old = row.old, let new = row.new else { return }
        var slices: ContiguousArray<Tuple.Slice> = []
        Tuple.slice(new, into: &slices)
        guard Tuple.hasUnchanged(slices) else { return }
        scratch.removeAll()
        let newAt = scratch.append(new)
        let oldAt = scratch.append(old)
        let (offset, length) = Tuple.merge(
            newer: (newAt, new.count),
            older: (oldAt, old.count),
            places: row.oldIsWhole ? nil : table.keyPlaces,
            in: scratch
        )
        row.new = scratch.view(offset, length)
        row.old = scratch.view(oldAt, old.count)
    }

    /// Sends the set of net changes that a table has gathered: deletes, then updates, then inserts.
    func send(_ table: LaneTable, _ statements: ApplyStatements) throws(PostgresError) {
        let changes = table.changes
        guard !changes.isEmpty else { return }
        defer { changes.removeAll() }
        guard !changes.isImpossible else {
            culprit = table.relation
            throw Lane.impossible(table)
        }
        try open()
        pipeline.tag = UInt64(table.relation)
        changedKeys.note(changes, of: table)
        // What a delete or a partial update does not bring would be NULL in a row array.
        let isAlone = encoder.format == .binary && table.refusesNulls
        let deletes = changes.sorted { $0.net == .delete || $0.net == .replace }
        if isAlone, !deletes.isEmpty {
            try sendAlone(deletes, of: table, places: table.keyPlaces, statements.deleteRow(pipeline))
        } else if !deletes.isEmpty {
            try send(deletes, of: table, places: table.keyPlaces, statements.deleteSet(pipeline))
        }
        for (index, gap) in changes.gaps.enumerated() {
            let places = table.settablePlaces.filter { !gap.contains($0) }
            let updates = changes.sorted { $0.net == .update && $0.gap == index }
            guard !updates.isEmpty, !places.isEmpty else { continue }
            if isAlone, !gap.isEmpty {
                try sendAlone(
                    updates,
                    of: table,
                    places: places + table.keyPlaces,
                    statements.updateRow(places, pipeline)
                )
                continue
            }
            try send(
                updates,
                of: table,
                places: places + table.keyPlaces,
                statements.updateSet(places, pipeline)
            )
        }
        let inserts = changes.sorted { $0.net == .insert || $0.net == .replace }
        if copyPays(for: inserts.count) {
            try copy(inserts, of: table, statements.sql.copySet)
        } else if !inserts.isEmpty {
            try send(inserts, of: table, places: table.places, statements.insertSet(pipeline))
        }
    }

    /// Whether COPY is the faster way for so many new rows.
    ///
    /// It spares the server half of its work, some 3 µs a row, and waits for it three times more.
    private func copyPays(for rows: Int) -> Bool {
        guard rows >= 500, encoder.format == .binary, let roundTrip = pipeline.quickestAnswer else { return false }
        return .microseconds(rows) > roundTrip
    }

    private func copy(_ entries: [ChangeSet.Entry], of table: LaneTable, _ sql: SQL) throws(PostgresError) {
        tally.rows += entries.count
        tally.copiedRows += entries.count
        try pipeline.copyIn(sql, expecting: entries.count) { writer throws(PostgresError) in
            try encoder.copy(entries, of: table, places: table.places, to: writer)
        }
    }

    private func send(
        _ entries: [ChangeSet.Entry],
        of table: LaneTable,
        places: [Int],
        _ statement: PreparedStatement
    ) throws(PostgresError) {
        tally.rows += entries.count
        try encoder.encode(entries, of: table, places: places) { values throws(PostgresError) in
            try pipeline.send(statement, values, expecting: entries.count)
        }
    }

    /// Sends a statement for each entry.
    private func sendAlone(
        _ entries: [ChangeSet.Entry],
        of table: LaneTable,
        places: [Int],
        _ statement: PreparedStatement
    ) throws(PostgresError) {
        tally.rows += entries.count
        tally.fallbacks.refusedNulls += entries.count
        for entry in entries {
            let tuple = table.changes.bytes.view(entry.tuple, entry.length)
            try pipeline.send(statement, values(of: tuple, at: places), expecting: 1)
        }
    }

    /// Opens the group for a change that goes alone, and refuses one that does not say which row it is about.
    func beginRow(_ kind: PgOutput.Kind?, _ table: LaneTable, oldIsWhole: Bool) throws(PostgresError) {
        try open()
        tally.rows += 1
        // Without a key the whole row names it, and nothing less.
        if kind != .insert, table.keyPlaces.isEmpty, !oldIsWhole { throw malformed(table) }
    }

    /// Sends one change as one statement, which must change exactly one row.
    func sendRow(
        _ kind: PgOutput.Kind?,
        _ row: PgOutput.Row,
        _ table: LaneTable,
        _ statements: ApplyStatements
    ) throws(PostgresError) {
        try beginRow(kind, table, oldIsWhole: row.oldIsWhole)
        switch (kind, row.old, row.new) {
        case (.insert, _, .some(let new)):
            let places = table.places
            note(new, of: table)
            try pipeline.send(statements.insertRow(pipeline), values(of: new, at: places), expecting: 1)
        case (.update, let old, .some(let new)):
            try sendUpdate(old: old ?? new, new: new, table, statements)
        case (.delete, .some(let old), _):
            let places = statements.sql.namingPlaces
            note(old, of: table)
            try pipeline.send(statements.deleteRow(pipeline), values(of: old, at: places), expecting: 1)
        default: throw malformed(table)
        }
    }

    private func sendUpdate(
        old: UnsafeRawBufferPointer,
        new: UnsafeRawBufferPointer,
        _ table: LaneTable,
        _ statements: ApplyStatements
    ) throws(PostgresError) {
        var slices: ContiguousArray<Tuple.Slice> = []
        Tuple.slice(new, into: &slices)
        let sent = table.places.filter { place in
            slices[place].kind != Tuple.Slice.unchanged
                && (table[place].isSettable || table.updatesByReplacing)
        }
        note(old, of: table)
        note(new, of: table)
        guard !sent.isEmpty else { return }
        let values = values(of: new, at: sent) + values(of: old, at: statements.sql.namingPlaces)
        try pipeline.send(statements.updateRow(sent, pipeline), values, expecting: 1)
    }

    private func values(of tuple: UnsafeRawBufferPointer, at places: [Int]) -> [UnsafeRawBufferPointer?] {
        var slices: ContiguousArray<Tuple.Slice> = []
        Tuple.slice(tuple, into: &slices)
        return places.map { place in
            let slice = slices[place]
            guard slice.kind != Tuple.Slice.null, slice.kind != Tuple.Slice.unchanged else { return nil }
            return UnsafeRawBufferPointer(rebasing: tuple[slice.offset..<slice.offset + slice.length])
        }
    }

    private func note(_ tuple: UnsafeRawBufferPointer, of table: LaneTable) {
        guard !table.keyPlaces.isEmpty else { return changedKeys.noteEverything(of: table) }
        var slices: ContiguousArray<Tuple.Slice> = []
        Tuple.slice(tuple, into: &slices)
        ChangeSet.writeKey(of: tuple, slices, at: table.keyPlaces, into: keyBytes)
        changedKeys.note(key: keyBytes.view, of: table)
    }

    /// Empties those of the truncated tables that are this lane's.
    ///
    /// The other lanes do the same with theirs: every table is in one lane, so the order of its own
    /// changes is kept without waiting for each other. A table that a foreign key points at cannot be
    /// truncated alone, so its rows are deleted.
    func truncate(_ message: PgOutput.Truncate) throws(PostgresError) {
        for relation in message.relations {
            guard let entry = try counted(relation) else { continue }
            pipeline.tag = UInt64(relation)
            try truncate(entry.table, entry.statements)
        }
    }

    func truncate(_ table: LaneTable, _ statements: ApplyStatements) throws(PostgresError) {
        // What was gathered before is emptied with the table.
        table.changes.removeAll()
        try open()
        changedKeys.noteTruncated(table)
        try pipeline.send(statements.sql.truncate)
    }

    /// Sent to have the group replayed: the row-by-row statements then tell which row it is.
    static func impossible(_ table: LaneTable) -> PostgresError {
        var error = PostgresError(
            "changes of table \"\(table.name)\" contradict each other",
            sqlState: PostgresError.wrongRowCount
        )
        error.table = table.name
        return error
    }
}

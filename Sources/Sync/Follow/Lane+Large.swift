import Postgres

/// Changes too large to be held: the same statements as for any row alone, with values that go from the spool to the server.
extension Lane {
    /// Sends one change as one statement, which must change exactly one row.
    ///
    /// Values that were not sent because they did not change are left as they are, also when the old
    /// tuple has them: that spares them the way.
    func sendRow(
        _ kind: PgOutput.Kind?,
        _ row: LargeRow,
        _ table: LaneTable,
        _ statements: ApplyStatements
    ) throws(PostgresError) {
        try beginRow(kind, table, oldIsWhole: row.oldIsWhole)
        switch (kind, row.old, row.new) {
        case (.insert, _, .some(let new)):
            try note(new, of: row, table)
            try send(statements.insertRow(pipeline), values(of: new, at: table.places, row))
        case (.update, let old, .some(let new)):
            try note(old ?? new, of: row, table)
            try note(new, of: row, table)
            let sent = table.places.filter { place in
                new[place].kind != Tuple.Slice.unchanged && (table[place].isSettable || table.updatesByReplacing)
            }
            guard !sent.isEmpty else { return }
            let naming = values(of: old ?? new, at: statements.sql.namingPlaces, row)
            try send(statements.updateRow(sent, pipeline), values(of: new, at: sent, row) + naming)
        case (.delete, .some(let old), _):
            try note(old, of: row, table)
            try send(statements.deleteRow(pipeline), values(of: old, at: statements.sql.namingPlaces, row))
        default: throw malformed(table)
        }
    }

    private func send(_ statement: PreparedStatement, _ values: [StreamedValue?]) throws(PostgresError) {
        try pipeline.send(statement, streaming: values, expecting: 1)
    }

    private func values(of tuple: LargeRow.Slices, at places: [Int], _ row: LargeRow) -> [StreamedValue?] {
        places.map { row.message.value(of: tuple[$0]) }
    }

    private func note(_ tuple: LargeRow.Slices, of row: LargeRow, _ table: LaneTable) throws(PostgresError) {
        guard !table.keyPlaces.isEmpty else { return changedKeys.noteEverything(of: table) }
        keyBytes.removeAll()
        for place in table.keyPlaces {
            // A part of the key that did not change is in the old tuple only.
            let isUnchanged = tuple[place].kind == Tuple.Slice.unchanged
            let slice = isUnchanged ? row.old?[place] ?? tuple[place] : tuple[place]
            keyBytes.append(bigEndian: slice.kind == Tuple.Slice.null ? Int32(-1) : Int32(slice.length))
            try row.message.read(at: slice.offset, count: slice.length) { _ = keyBytes.append($0) }
        }
        changedKeys.note(key: keyBytes.view, of: table)
    }
}

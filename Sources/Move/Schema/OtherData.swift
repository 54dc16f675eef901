import Catalog
import Postgres
import Sync

/// Copies where sequences stand, which is not in the stream.
enum OtherData {
    /// Sets every sequence on `to` to where it stands on `from`; returns how many.
    ///
    /// Exact: the next value drawn on either server is the same. One round trip for all, and some more for
    /// those of which nothing was drawn since they were made or set.
    /// `maps` says in which schema each is on `to`.
    @discardableResult
    static func copySequences(
        from: Connection,
        to: Connection,
        maps: TableMaps = .none
    ) throws(PostgresError) -> Int {
        let sequences = try Sequence.readAll(from)
        let known = Set(try Sequence.readAll(to).map(\.name))
        let common = sequences.filter { known.contains(maps.targetInSchema($0.name)) }
        guard !common.isEmpty else { return 0 }
        let untouched = try readUntouched(common.filter { $0.lastValue == nil }, from)
        try to.query(
            """
            SELECT setval(format('%I.%I', schema, name)::regclass, value, is_called)
              FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bool[]) AS s (schema, name, value, is_called)
            """,
            common.map { maps.targetInSchema($0.name).schema },
            common.map(\.name.name),
            common.map { $0.lastValue ?? untouched[$0.name]?.value ?? $0.start },
            common.map { $0.lastValue != nil || untouched[$0.name]?.isCalled == true }
        )
        return common.count
    }

    /// Copies what was drawn from sequences since they were copied: nothing keeps anybody from drawing values where tables are fenced.
    ///
    /// - Throws: when values are drawn all the time, so that the next one here could be one that somebody has got there.
    static func copySequencesAgain(
        from: Connection,
        to: Connection,
        maps: TableMaps = .none
    ) throws(PostgresError) {
        var moved: [Sequence] = []
        for _ in 0..<3 {
            let there = Dictionary(uniqueKeysWithValues: try Sequence.readAll(to).map { ($0.name, $0.lastValue) })
            moved = try Sequence.readAll(from).filter { sequence in
                guard let value = there[maps.targetInSchema(sequence.name)] else { return false }
                return value != sequence.lastValue
            }
            if moved.isEmpty { return }
            try copySequences(from: from, to: to, maps: maps)
        }
        throw PostgresError(
            "values are drawn from sequences although nobody can write to a table",
            detail: "The sequences are: \(moved.map { "\"\($0.name)\"" }.joined(separator: ", ")).",
            hint: "Stop the sessions that call nextval() by itself, then try again."
        )
    }

    /// Where those sequences stand from which nothing was drawn: only they themselves tell
    /// what `setval(…, false)` or `RESTART WITH` has set them to.
    private static func readUntouched(
        _ sequences: [Sequence],
        _ connection: Connection
    ) throws(PostgresError) -> [QualifiedName: (value: Int64, isCalled: Bool)] {
        var states: [QualifiedName: (value: Int64, isCalled: Bool)] = [:]
        for start in stride(from: 0, to: sequences.count, by: 200) {
            let part = sequences[start...].prefix(200)
            let questions = part.enumerated().map { number, sequence -> SQL in
                "SELECT \(number) AS number, last_value, is_called FROM \(sequence.name)"
            }
            for row in try connection.query(SQL.joined(questions, separator: " UNION ALL ")) {
                let sequence = part[start + (try row("number", as: Int.self))]
                states[sequence.name] = (try row("last_value"), try row("is_called"))
            }
        }
        return states
    }
}

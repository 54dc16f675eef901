import Catalog
import Postgres
import Sync

/// Copies where sequences stand, which is not in the stream.
struct SequenceCopy {
    let from: Connection
    let to: Connection
    /// In which schema each is on `to`.
    let maps: TableMaps

    /// Where a sequence is to be set.
    private struct Setting {
        let name: QualifiedName
        let value: Int64
        let isCalled: Bool
    }

    /// Sets every sequence on `to` to where it stands on `from`; returns how many.
    ///
    /// Exact: the next value drawn on either server is the same. One round trip for all, and some more for
    /// those of which nothing was drawn since they were made or set.
    @discardableResult
    func setAll() throws(PostgresError) -> Int {
        let known = Set(try Sequence.readAll(to).map(\.name))
        let common = try Sequence.readAll(from).filter { known.contains(maps.targetInSchema($0.name)) }
        let untouched = try readUntouched(common.filter { $0.lastValue == nil })
        try set(
            common.map { sequence in
                Setting(
                    name: maps.targetInSchema(sequence.name),
                    value: sequence.lastValue ?? untouched[sequence.name]?.value ?? sequence.start,
                    isCalled: sequence.lastValue != nil || untouched[sequence.name]?.isCalled == true
                )
            }
        )
        return common.count
    }

    /// Sets those sequences ahead from which values were drawn since they were set, and returns their names on `to`.
    ///
    /// A fence over tables keeps nobody from drawing values. Who has drawn one on `from` may write it on `to`, where nobody
    /// else may get the same: so values are left out, ten times as many as were drawn meanwhile, and a thousand at least.
    func overtake() throws(PostgresError) -> [QualifiedName] {
        let there = Dictionary(uniqueKeysWithValues: try Sequence.readAll(to).map { ($0.name, $0.lastValue) })
        let settings = try Sequence.readAll(from).compactMap { sequence -> Setting? in
            let name = maps.targetInSchema(sequence.name)
            guard let set = there[name], let drawn = sequence.lastValue, set != drawn else { return nil }
            let count = sequence.steps(from: set ?? sequence.start, to: drawn) ?? 0
            return Setting(name: name, value: sequence.value(ahead: count) ?? drawn, isCalled: true)
        }
        try set(settings)
        return settings.map(\.name)
    }

    private func set(_ settings: [Setting]) throws(PostgresError) {
        guard !settings.isEmpty else { return }
        try to.query(
            """
            SELECT setval(format('%I.%I', schema, name)::regclass, value, is_called)
              FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bool[]) AS s (schema, name, value, is_called)
            """,
            settings.map(\.name.schema),
            settings.map(\.name.name),
            settings.map(\.value),
            settings.map(\.isCalled)
        )
    }

    /// Where those sequences stand from which nothing was drawn: only they themselves tell
    /// what `setval(…, false)` or `RESTART WITH` has set them to.
    private func readUntouched(
        _ sequences: [Sequence]
    ) throws(PostgresError) -> [QualifiedName: (value: Int64, isCalled: Bool)] {
        var states: [QualifiedName: (value: Int64, isCalled: Bool)] = [:]
        for start in stride(from: 0, to: sequences.count, by: 200) {
            let part = sequences[start...].prefix(200)
            let questions = part.enumerated().map { number, sequence -> SQL in
                "SELECT \(number) AS number, last_value, is_called FROM \(sequence.name)"
            }
            for row in try from.query(SQL.joined(questions, separator: " UNION ALL ")) {
                let sequence = part[start + (try row("number", as: Int.self))]
                states[sequence.name] = (try row("last_value"), try row("is_called"))
            }
        }
        return states
    }
}

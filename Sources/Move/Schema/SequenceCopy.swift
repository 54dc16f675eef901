import Catalog
import Postgres
import Sync

/// Copies where sequences stand, which is not in the stream.
///
/// A session that asks where a sequence stands opens its file, which takes much longer the first time: whoever has to be quick
/// sets all once before, with the same sessions, and then what has changed.
struct SequenceCopy {
    private let from: Connection
    private let to: Connection
    /// In which schema each is on `to`.
    private let maps: TableMaps
    /// To where those that are on `to` were set, or would have been; nil when one is to be set in any case.
    private var positions: [QualifiedName: Position?]
    /// Whether others draw from those of `to`, so that none is set back.
    private let isShared: Bool

    /// Where a sequence stands.
    private struct Position: Hashable {
        let value: Int64
        let isCalled: Bool
    }

    init(
        from: Connection,
        to: Connection,
        maps: TableMaps,
        isShared: Bool = false
    ) throws(PostgresError) {
        self.from = from
        self.to = to
        self.maps = maps
        self.isShared = isShared
        positions = Dictionary(uniqueKeysWithValues: try Sequence.readAll(to).map { ($0.name, nil) })
    }

    /// Sets every sequence on `to` to where it stands on `from`; returns how many there are.
    ///
    /// Exact: the next value drawn on either server is the same, unless others draw from those of `to`. Two round trips for
    /// all, and some more for those of which nothing was drawn since they were made or set.
    @discardableResult
    mutating func setAll() throws(PostgresError) -> Int {
        let common = try readCommon()
        let untouched = try readUntouched(common.filter { $0.lastValue == nil })
        var changed: [QualifiedName: Position] = [:]
        for sequence in common {
            let position = sequence.lastValue.map { Position(value: $0, isCalled: true) } ?? untouched[sequence.name]
            changed[maps.targetInSchema(sequence.name)] = position ?? Position(value: sequence.start, isCalled: false)
        }
        try set(changed)
        return common.count
    }

    /// Sets those sequences ahead from which values were drawn since they were set, and returns their names on `to`.
    ///
    /// A fence over tables keeps nobody from drawing values. Who has drawn one on `from` may write it on `to`, where nobody
    /// else may get the same: so values are left out, ten times as many as were drawn meanwhile, and a thousand at least.
    mutating func overtake() throws(PostgresError) -> [QualifiedName] {
        var ahead: [QualifiedName: Position] = [:]
        for sequence in try readCommon() {
            let name = maps.targetInSchema(sequence.name)
            guard let drawn = sequence.lastValue else { continue }
            let known = positions[name] ?? nil
            guard known != Position(value: drawn, isCalled: true) else { continue }
            let count = sequence.steps(from: known?.value ?? sequence.start, to: drawn) ?? 0
            ahead[name] = Position(value: sequence.value(ahead: count) ?? drawn, isCalled: true)
        }
        try set(ahead)
        return ahead.keys.sorted()
    }

    /// The sequences of `from` that `to` has as well.
    private func readCommon() throws(PostgresError) -> [Sequence] {
        try Sequence.readAll(from).filter { positions.keys.contains(maps.targetInSchema($0.name)) }
    }

    private mutating func set(_ wanted: [QualifiedName: Position]) throws(PostgresError) {
        let changed = wanted.filter { positions[$0.key] != $0.value }
        guard !changed.isEmpty else { return }
        try to.query(
            """
            SELECT setval(seqrelid, value, is_called)
              FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bool[]) AS s (schema, name, value, is_called)
              JOIN pg_sequence ON seqrelid = format('%I.%I', schema, name)::regclass
             WHERE CASE WHEN NOT $5 THEN true
                        WHEN seqincrement > 0 THEN (value > pg_sequence_last_value(seqrelid)) IS NOT FALSE
                        ELSE (value < pg_sequence_last_value(seqrelid)) IS NOT FALSE END
            """,
            changed.map(\.key.schema),
            changed.map(\.key.name),
            changed.map(\.value.value),
            changed.map(\.value.isCalled),
            isShared
        )
        positions.merge(changed) { $1 }
    }

    /// Where those sequences stand from which nothing was drawn: only they themselves tell
    /// what `setval(…, false)` or `RESTART WITH` has set them to.
    private func readUntouched(
        _ sequences: [Sequence]
    ) throws(PostgresError) -> [QualifiedName: Position] {
        var states: [QualifiedName: Position] = [:]
        for start in stride(from: 0, to: sequences.count, by: 200) {
            let part = sequences[start...].prefix(200)
            let questions = part.enumerated().map { number, sequence -> SQL in
                "SELECT \(number) AS number, last_value, is_called FROM \(sequence.name)"
            }
            for row in try from.query(SQL.joined(questions, separator: " UNION ALL ")) {
                let sequence = part[start + (try row("number", as: Int.self))]
                states[sequence.name] = Position(value: try row("last_value"), isCalled: try row("is_called"))
            }
        }
        return states
    }
}

import Foundation
public import Postgres

/// What a comparison of two databases found.
///
/// Written as JSON it is meant for programs: its keys do not change. ``lines`` is for people.
public struct Verdict: Codable, Sendable, Hashable {
    /// Whether everything that was compared is equal.
    public var equal: Bool
    /// The position of the source at which both sides were looked at; nil when the caller knew none.
    public var lsn: String?
    /// How rows were compared.
    public var method: Method
    /// Types whose values were compared by their text, because they have no hash function that is good enough or the same on both servers.
    public var typesByText: [String]
    /// The tables, by name.
    public var tables: [TableVerdict]
    /// The user's checks.
    public var checks: [CheckFinding]
    /// What was not compared, in words: a running move does not follow changes of everything.
    public var notCompared: [String] = []
    /// What was brought into line before this comparison, in words; nil when nothing was.
    public var repaired: String?
    /// How long it took.
    public var seconds: Double

    /// How rows were compared.
    public enum Method: String, Codable, Sendable {
        /// By the hash functions of their types: 1 and 1.0 of one float column are equal, as SQL says.
        case hash
        /// By the text of every column.
        case text
    }

    /// The tables that differ.
    public var differing: [TableVerdict] { tables.filter { !$0.equal } }

    /// Takes the verdicts on tables that were compared again in the place of the first ones.
    public mutating func replace(_ again: [TableVerdict]) {
        for verdict in again {
            guard let place = tables.firstIndex(where: { $0.qualifiedName == verdict.qualifiedName }) else { continue }
            tables[place] = verdict
        }
        equal = tables.allSatisfy(\.equal) && checks.allSatisfy(\.equal)
    }
}

/// What a comparison found about one table.
public struct TableVerdict: Codable, Sendable, Hashable {
    /// The schema's name.
    public var schema: String
    /// The table's name.
    public var name: String
    /// Whether both sides have the table, the same columns and the same rows.
    public var equal: Bool
    /// How many rows the source has, of those that were compared.
    public var sourceRows: Int
    /// How many rows the target has, of those that were compared.
    public var targetRows: Int
    /// The size on the source, without indexes; nil when only some rows were compared.
    public var bytes: Int?
    /// How long it took.
    public var seconds: Double
    /// The rows that differ.
    public var differences: Differences
    /// What else differs: a table or a column that only one side has.
    public var problems: [String]

    /// The table's name.
    public var qualifiedName: QualifiedName { QualifiedName(schema: schema, name: name) }
}

/// The rows that differ between two tables.
public struct Differences: Codable, Sendable, Hashable {
    /// How many rows only the source has; without a key, rows that differ count here and on the target.
    public var onlyInSource = 0
    /// How many rows only the target has.
    public var onlyInTarget = 0
    /// How many rows have the same key on both sides and another content.
    public var different = 0
    /// Whether all rows that differ were counted; there may be more when it is false.
    public var complete = true
    /// The keys of the first hundred rows that differ.
    public var keys: [Key] = []

    /// One row that differs.
    public struct Key: Codable, Sendable, Hashable {
        /// The key's columns with their values as text.
        public var key: [String: String]
        /// What is the matter with it.
        public var kind: Kind
    }

    /// What is the matter with a row.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// The target lacks it.
        case onlyInSource
        /// The source lacks it.
        case onlyInTarget
        /// Both have it, and not alike.
        case different
    }

    /// How many keys are listed at most.
    static let listed = 100

    /// How many keys people are shown of each table.
    static let shown = 10

    /// Rows that differ in any way.
    public var count: Int { onlyInSource + onlyInTarget + different }

    /// Brings the listed keys into an order that people can look things up in: numbers by their value.
    mutating func sortKeys() {
        keys.sort { left, right in
            for column in left.key.keys.sorted() {
                let (one, other) = (left.key[column] ?? "", right.key[column] ?? "")
                if one != other { return Self.precedes(one, other) }
            }
            return false
        }
    }

    private static func precedes(_ one: String, _ other: String) -> Bool {
        switch (Decimal(string: one), Decimal(string: other)) {
        case (let left?, let right?) where left != right: left < right
        case (_?, nil): true
        case (nil, _?): false
        default: one < other
        }
    }

    mutating func add(_ kind: Kind, times: Int = 1, key: @autoclosure () -> [String: String]?) {
        switch kind {
        case .onlyInSource: onlyInSource += times
        case .onlyInTarget: onlyInTarget += times
        case .different: different += times
        }
        if keys.count < Self.listed, let key = key() { keys.append(Key(key: key, kind: kind)) }
    }
}

extension Verdict {
    /// The verdict for people: one line for each thing that differs, then one line that sums up.
    public var lines: [String] {
        [repaired.map { "brought into line: \($0)" }].compactMap(\.self) + differing.flatMap { $0.lines }
            + checks.filter { !$0.equal }.flatMap { $0.lines }
            + notCompared.map { "not compared: \($0)" } + [summary]
    }

    /// What was compared and what came out, in one line.
    public var summary: String {
        let rows = tables.reduce(0) { $0 + $1.sourceRows }
        let compared = [
            Quantity.of(tables.count, "table"), Quantity.of(rows, "row"),
            checks.isEmpty ? nil : Quantity.of(checks.count, "check"),
        ]
        let position = lsn.map { " at \($0)" } ?? ""
        let time = String(format: "%.1f s", seconds)
        return "\(outcome)\(position): \(compared.compactMap(\.self).joined(separator: ", ")) in \(time)"
    }

    private var outcome: String {
        guard !equal else { return "equal" }
        let failed = checks.count { !$0.equal }
        let parts = [(differing.count, "table"), (failed, "check")].filter { $0.0 > 0 }.map { Quantity.of($0, $1) }
        return parts.joined(separator: " and ") + (differing.count + failed == 1 ? " differs" : " differ")
    }
}

extension TableVerdict {
    /// What differs, for people.
    public var lines: [String] {
        // Not as SQL would quote it: the quotes here are those of the sentence.
        let title = "table \"\(schema).\(name)\""
        guard !equal else { return ["\(title): equal, \(Quantity.of(sourceRows, "row"))"] }
        var lines = problems.map { "\(title): \($0)" }
        guard differences.count > 0 || sourceRows != targetRows || problems.isEmpty else { return lines }
        let more = differences.complete ? "" : ", perhaps more"
        lines.append(
            """
            \(title): \(Quantity.of(sourceRows, "row")) on the source, \(Quantity.grouped(targetRows)) on the target: \
            \(Quantity.grouped(differences.onlyInSource)) only on the source, \
            \(Quantity.grouped(differences.onlyInTarget)) only on the target, \
            \(Quantity.grouped(differences.different)) different\(more)
            """
        )
        let shown = differences.keys.prefix(Differences.shown)
        lines += shown.map { difference in
            let key = difference.key.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return "  (\(key.joined(separator: ", "))): \(difference.kind.phrase)"
        }
        if !shown.isEmpty, differences.count > shown.count {
            let rest = Quantity.grouped(differences.count - shown.count)
            lines.append("  and \(rest) more; --json lists up to \(Differences.listed) of them")
        }
        return lines
    }
}

extension Differences.Kind {
    /// As people say it.
    var phrase: String {
        switch self {
        case .onlyInSource: "only on the source"
        case .onlyInTarget: "only on the target"
        case .different: "different"
        }
    }
}

import Postgres

/// What one of the user's checks found.
public struct CheckFinding: Codable, Sendable, Hashable {
    /// The check's name.
    public var name: String
    /// Whether both sides gave the same rows.
    public var equal: Bool
    /// How many rows the source gave.
    public var sourceRows: Int
    /// How many rows the target gave.
    public var targetRows: Int
    /// The first twenty values that differ.
    public var differences: [Difference]
    /// Why the check could not be run; one entry for each side that refused it.
    public var errors: [Failure]

    /// A value that differs.
    public struct Difference: Codable, Sendable, Hashable {
        /// The row, counted from 1.
        public var row: Int
        /// The column's name on the source.
        public var column: String
        /// The source's value as text; nil is NULL, or no such row.
        public var source: String?
        /// The target's value as text; nil is NULL, or no such row.
        public var target: String?
    }

    /// Why a side refused the check.
    public struct Failure: Codable, Sendable, Hashable {
        /// `source` or `target`.
        public var side: String
        /// What the server said.
        public var message: String
    }

    static let listed = 20
}

/// What one side answered to a check.
enum CheckAnswer: Sendable {
    case rows(columns: [String], values: [[String?]])
    case failed(String)
}

extension CheckFile.Check {
    /// Asks the check inside the transaction that is open, which goes on whether it succeeds or not.
    func ask(_ connection: Connection) throws(PostgresError) -> CheckAnswer {
        // A check names tables as its author does, not as we do.
        try connection.execute("SAVEPOINT martlet_check; RESET search_path")
        do throws(PostgresError) {
            let rows = try connection.query(sql)
            let values = rows.map { row in (0..<row.count).map { row.text($0) } }
            try connection.execute("ROLLBACK TO SAVEPOINT martlet_check")
            return .rows(columns: rows.columns, values: values)
        } catch {
            guard connection.isInTransaction, error.sqlState != "57014" else { throw error }
            try connection.execute("ROLLBACK TO SAVEPOINT martlet_check")
            return .failed(error.message)
        }
    }

    /// Compares what the two sides answered.
    func finding(source: CheckAnswer, target: CheckAnswer) -> CheckFinding {
        var finding = CheckFinding(
            name: name,
            equal: true,
            sourceRows: 0,
            targetRows: 0,
            differences: [],
            errors: []
        )
        if case .failed(let message) = source { finding.errors.append(.init(side: "source", message: message)) }
        if case .failed(let message) = target { finding.errors.append(.init(side: "target", message: message)) }
        if case .rows(let columns, let left) = source, case .rows(let others, let right) = target {
            finding.sourceRows = left.count
            finding.targetRows = right.count
            finding.equal = columns == others && left.elementsEqual(right) { $0.elementsEqual($1, by: Self.isSame) }
            if !finding.equal { finding.differences = Self.differences(columns, left, others, right) }
        } else {
            finding.equal = false
        }
        return finding
    }

    /// Compares bytes: Swift takes an `é` of one code point and one of two for the same.
    private static func isSame(_ source: String?, _ target: String?) -> Bool {
        guard let source, let target else { return source == nil && target == nil }
        return source.utf8.elementsEqual(target.utf8)
    }

    private static func differences(
        _ columns: [String],
        _ left: [[String?]],
        _ others: [String],
        _ right: [[String?]]
    ) -> [CheckFinding.Difference] {
        var found: [CheckFinding.Difference] = []
        for row in 0..<max(left.count, right.count) {
            for column in 0..<max(columns.count, others.count) {
                guard found.count < CheckFinding.listed else { return found }
                let source = row < left.count && column < columns.count ? left[row][column] : nil
                let target = row < right.count && column < others.count ? right[row][column] : nil
                guard !isSame(source, target) else { continue }
                let name = column < columns.count ? columns[column] : others[column]
                found.append(.init(row: row + 1, column: name, source: source, target: target))
            }
        }
        return found
    }
}

extension CheckFinding {
    /// What the check found, for people.
    public var lines: [String] {
        let title = "check \"\(name)\""
        guard !equal else { return ["\(title): equal"] }
        let failures = errors.map { "\(title): the \($0.side) refused it: \($0.message)" }
        guard failures.isEmpty else { return failures }
        let values = differences.map { difference in
            let (source, target) = (difference.source ?? "null", difference.target ?? "null")
            let place = "row \(difference.row), column \"\(difference.column)\""
            return "  \(place): \(source) on the source, \(target) on the target"
        }
        let rows = "\(Quantity.of(sourceRows, "row")) on the source, \(Quantity.grouped(targetRows)) on the target"
        return ["\(title): \(rows)"] + values
    }
}

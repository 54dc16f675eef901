import Postgres

/// Which rows a rule takes, by one column: those for which any of the conditions holds.
struct RowFilter: Sendable, Hashable {
    enum Condition: Sendable {
        case atMost(String), atLeast(String), equal(String), notEqual(String)
        case between(String, String), notBetween(String, String)
        case null, notNull
    }

    let column: String
    let conditions: [Condition]

    /// The condition as SQL; the server reads each value as one of the column's type.
    var sql: SQL {
        let name = Identifier(column)
        let parts = conditions.map { condition -> SQL in
            switch condition {
            case .atMost(let value): "\(name) <= \(literal: value)"
            case .atLeast(let value): "\(name) >= \(literal: value)"
            case .equal(let value): "\(name) = \(literal: value)"
            case .notEqual(let value): "\(name) <> \(literal: value)"
            case .between(let low, let high): "\(name) BETWEEN \(literal: low) AND \(literal: high)"
            case .notBetween(let low, let high): "\(name) NOT BETWEEN \(literal: low) AND \(literal: high)"
            case .null: "\(name) IS NULL"
            case .notNull: "\(name) IS NOT NULL"
            }
        }
        return "(\(.joined(parts, separator: " OR ")))"
    }

    /// Compares what the server would read.
    static func == (left: Self, right: Self) -> Bool { left.sql == right.sql }

    /// Hashes the same.
    func hash(into hasher: inout Hasher) { hasher.combine(sql) }

    /// All filters must hold.
    static func sql(_ filters: [RowFilter]) -> SQL? {
        filters.isEmpty ? nil : .joined(filters.map(\.sql), separator: " AND ")
    }
}

import Postgres

/// A type of a column, with values.
struct RandomType: Sendable {
    /// How SQL names it.
    let sql: SQL
    /// Values that are easy to get wrong, as expressions of the type.
    var samples: [SQL]
    /// A value for a whole number, another one for every number from 0 to 30,000; nil when the type has too few values.
    var number: (@Sendable (SQL) -> SQL)?
    /// Whether larger numbers have larger values.
    var isOrdered = false
    /// How it can be indexed.
    var indexes: Set<Access> = [.btree, .hash]
    /// Whether NULL is none of its values.
    var isRequired = false
    /// Whether it has a collation.
    var isCollatable = false
    /// Whether its values may be large.
    var isLarge = false
    /// Whether a foreign key can refer to it; PostgreSQL fails to compare domains over arrays, and arrays of some types.
    var isReferable = true
    /// Whether an array or a domain of it can be made.
    var isElement = true

    /// An access method whose default operator class takes the type.
    enum Access: Sendable { case btree, hash, gist, gin, spgist, brin }

    /// A type whose values are written as literals.
    init(_ sql: SQL, _ literals: [String], _ indexes: Set<Access> = [.btree, .hash]) {
        self.sql = sql
        samples = literals.map { "\(literal: $0)::\(sql)" }
        self.indexes = indexes
    }

    /// A type that also has a value for every number.
    init(
        _ sql: SQL,
        _ literals: [String],
        _ indexes: Set<Access> = [.btree, .hash],
        ordered: Bool = false,
        number: @escaping @Sendable (SQL) -> SQL
    ) {
        self.init(sql, literals, indexes)
        self.number = number
        isOrdered = ordered
    }

    /// An array of the type.
    var array: RandomType {
        let all = samples
        let first = all[0]
        let last = all[all.count - 1]
        var type = RandomType("\(sql)[]", ["{}"], indexes.intersection([.btree, .hash]))
        type.samples += [
            "ARRAY[\(.joined(all.prefix(4)))]::\(sql)[]",
            "ARRAY[[\(first), \(last)], [\(last), \(first)]]::\(sql)[]",
            "array_fill(\(last), ARRAY[2, 1], ARRAY[-3, 7])::\(sql)[]",
        ]
        if !isRequired { type.samples.append("ARRAY[NULL, \(first), NULL]::\(sql)[]") }
        if let number { type.number = { "ARRAY[\(number($0)), \(first)]::\(self.sql)[]" } }
        if indexes.contains(.btree) { type.indexes.insert(.gin) }
        type.isElement = false
        type.isReferable = false
        type.isLarge = isLarge
        return type
    }

    /// The same values as another type, such as a domain.
    func renamed(_ name: SQL) -> RandomType {
        var type = RandomType(name, [], indexes.subtracting([.gin]))
        type.samples = samples.map { "(\($0))::\(name)" }
        if let number { type.number = { "(\(number($0)))::\(name)" } }
        type.isOrdered = isOrdered
        type.isLarge = isLarge
        type.isCollatable = isCollatable
        type.isRequired = isRequired
        type.isReferable = isReferable && !sql.text.hasSuffix("[]")
        return type
    }
}

import Postgres

/// Transactions against a random schema that a seed decides, without end; one value for each session.
///
/// Each statement either keeps to the constraints or fails harmlessly. What it changes depends on the rows that it finds,
/// and so on what other sessions did before.
public struct RandomWorkload: Sendable {
    /// One transaction.
    struct Transaction: Sendable {
        /// How it ends.
        enum End: Sendable { case commit, rollback, commitPrepared, rollbackPrepared }

        /// A statement, or rows that one query makes and COPY takes.
        enum Step: Sendable {
            case statement(SQL)
            case copy(into: SQL, from: SQL)
        }

        var steps: [Step] = []
        var end = End.commit
        /// Whether each step stands in a savepoint of its own, and some are taken back.
        var isDivided = false
        /// The steps after which a savepoint is rolled back though nothing failed.
        var takenBack: Set<Int> = []
        var begin: SQL = "BEGIN"
    }

    private var random: SeededGenerator
    private let tables: [RandomTable]
    private let sequences: [QualifiedName]
    private let major: Int
    private let preparesTransactions: Bool
    private let truncates: Bool
    private let first: Int
    private var drawn = 0

    /// The transactions of one of at most three sessions; some truncate tables, unless they must not.
    init(
        seed: UInt64,
        session: Int,
        schema: RandomSchema,
        major: Int,
        preparesTransactions: Bool = true,
        truncates: Bool = true
    ) {
        random = SeededGenerator(seed: seed &* 31 &+ UInt64(session))
        tables = schema.tables.filter { !$0.isUnlogged }
        sequences = schema.sequences
        self.major = major
        self.preparesTransactions = preparesTransactions
        self.truncates = truncates
        first = 1000 + session * 9000
    }

    /// The next transaction.
    mutating func next() -> Transaction {
        var transaction = Transaction()
        guard !tables.isEmpty else { return transaction }
        let count = random.pick([1, 1, 2, 3, 5, 12])
        for _ in 0..<count { transaction.steps.append(step()) }
        transaction.isDivided = random.chance(50)
        if transaction.isDivided {
            for place in transaction.steps.indices where random.chance(15) { transaction.takenBack.insert(place) }
        }
        switch random.int(0...19) {
        case 0, 1: transaction.end = .rollback
        case 2 where preparesTransactions: transaction.end = random.chance(70) ? .commitPrepared : .rollbackPrepared
        default: break
        }
        if random.chance(10) { transaction.begin = "BEGIN ISOLATION LEVEL REPEATABLE READ" }
        if random.chance(20) { transaction.steps.insert(.statement("SET CONSTRAINTS ALL DEFERRED"), at: 0) }
        return transaction
    }

    private mutating func step() -> Transaction.Step {
        let table = random.pick(tables)
        let number = random.int(0...99)
        if table.isInsertOnly || number < 25 { return insertion(into: table) }
        switch number {
        case ..<50: return .statement(update(of: table))
        case ..<58: return .statement(keyChange(of: table))
        case ..<62: return .statement(touch(table))
        case ..<74: return .statement(deletion(from: table))
        case ..<82: return .statement(upsert(into: table))
        case ..<86: return .statement(merge(into: table))
        case ..<89: return .statement(replacement(in: table))
        case ..<92: return .statement(storm(on: table))
        case ..<95 where !sequences.isEmpty:
            return .statement("SELECT nextval(\(literal: random.pick(sequences).quoted)::regclass)")
        case ..<97 where truncates: return .statement(truncation(of: table))
        default: return .statement(update(of: table))
        }
    }

    /// A number that no other session uses, or, sometimes, one that is taken already.
    private mutating func fresh(_ count: Int) -> Int {
        if random.chance(15) { return random.int(1...60) }
        drawn = (drawn + count) % 8900
        return first + drawn
    }

    private mutating func insertion(into table: RandomTable) -> Transaction.Step {
        let count = random.pick([1, 1, 3, 10, 60])
        let number = fresh(count)
        let salt = random.int(0...10_000)
        let columns = table.writable
        if !columns.isEmpty, random.chance(20) {
            let values = columns.enumerated().map { $1.value(for: "n", salt: salt + 31 * $0) }
            return .copy(
                into: "COPY \(table.name) (\(.joined(columns.map { "\($0.name)" }))) FROM STDIN",
                from:
                    "COPY (SELECT \(.joined(values)) FROM generate_series(\(number), \(number + count - 1)) AS n) TO STDOUT"
            )
        }
        // A column that is left out gets its default, or what the server counts.
        let omitted = columns.filter { $0.identity != .none || !$0.isRequired || $0.hasDefault }
            .filter { _ in random.chance(12) }.map(\.name)
        return .statement(table.insertion(from: number, to: number + count - 1, salt: salt, omitting: Set(omitted)))
    }

    /// Some rows of a table, chosen by what is in them.
    private mutating func rows(_ count: Int, of table: RandomTable) -> SQL {
        """
        (tableoid, ctid) IN (SELECT tableoid, ctid FROM \(table.name) AS "r" \
        ORDER BY md5(("r".*)::text || \(literal: "\(random.int(0...1000))")) LIMIT \(count))
        """
    }

    private mutating func assignment(to column: RandomColumn) -> SQL {
        if column.identity == .always { return "\(column.name) = DEFAULT" }
        let number = column.isPlain || random.chance(60) ? random.int(0...40) : fresh(1)
        if column.hasDefault, random.chance(20) { return "\(column.name) = DEFAULT" }
        return "\(column.name) = \(column.value(for: "\(number)", salt: random.int(0...1000)))"
    }

    private mutating func update(of table: RandomTable) -> SQL {
        let columns = table.writable.filter { !$0.isKey }
        guard !columns.isEmpty else { return deletion(from: table) }
        let assignments = random.pick(1...3, of: columns).map { assignment(to: $0) }
        let count = random.pick([1, 2, 5, 30])
        return "UPDATE \(table.name) SET \(.joined(assignments)) WHERE \(rows(count, of: table))"
    }

    /// Values that are written again as they are; large ones are not in the log then.
    private mutating func touch(_ table: RandomTable) -> SQL {
        guard let column = table.writable.first(where: { $0.identity != .always }) else { return deletion(from: table) }
        return "UPDATE \(table.name) SET \(column.name) = \(column.name) WHERE \(rows(4, of: table))"
    }

    /// New keys, swapped keys, chains of keys.
    private mutating func keyChange(of table: RandomTable) -> SQL {
        guard let key = table.keyColumns.first else { return update(of: table) }
        guard key.identity != .always else {
            return "UPDATE \(table.name) SET \(key.name) = DEFAULT WHERE \(rows(2, of: table))"
        }
        let (one, two) = (random.int(1...40), random.int(1...40))
        switch random.int(0...3) {
        case 0:
            // Only a deferrable key can be swapped at once.
            let (left, right) = (key.fixed("\(one)"), key.fixed("\(two)"))
            return """
                UPDATE \(table.name) SET \(key.name) = CASE WHEN \(key.name) = \(left) THEN \(right) ELSE \(left) END \
                WHERE \(key.name) IN (\(left), \(right))
                """
        case 1:
            let free = fresh(1)
            let (left, right, space) = (key.fixed("\(one)"), key.fixed("\(two)"), key.fixed("\(free)"))
            return """
                UPDATE \(table.name) SET \(key.name) = \(space) WHERE \(key.name) = \(left);
                UPDATE \(table.name) SET \(key.name) = \(left) WHERE \(key.name) = \(right);
                UPDATE \(table.name) SET \(key.name) = \(right) WHERE \(key.name) = \(space)
                """
        case 2 where ["int2", "int4", "int8", "numeric"].contains(key.type.sql.text):
            return
                "UPDATE \(table.name) SET \(key.name) = \(key.name) + \(random.pick([1, -1, 5])) WHERE \(rows(8, of: table))"
        default:
            return "UPDATE \(table.name) SET \(key.name) = \(key.fixed("\(fresh(1))")) WHERE \(rows(1, of: table))"
        }
    }

    private mutating func deletion(from table: RandomTable) -> SQL {
        "DELETE FROM \(table.name) WHERE \(rows(random.pick([1, 1, 3, 10]), of: table))"
    }

    private mutating func upsert(into table: RandomTable) -> SQL {
        let number = random.int(1...60)
        let insertion = table.insertion(from: number, to: number + random.int(0...8), salt: random.int(0...1000))
        guard table.key != .none, !table.isDeferrable, random.chance(70),
            let column = table.columns.first(where: \.isPlain)
        else { return insertion + " ON CONFLICT DO NOTHING" }
        let target = SQL.joined(table.identity.map { "\($0.name)" })
        // A table may be called so itself.
        guard table.name.name != "excluded" else { return insertion + " ON CONFLICT DO NOTHING" }
        return "\(insertion) ON CONFLICT (\(target)) DO UPDATE SET \(column.name) = EXCLUDED.\(column.name)"
    }

    private mutating func merge(into table: RandomTable) -> SQL {
        guard major >= 15, let key = table.keyColumns.first, key.identity == .none, !table.hasChildren,
            let column = table.columns.first(where: \.isPlain)
        else { return update(of: table) }
        let number = random.int(1...60)
        let columns = table.writable
        let salt = random.int(0...1000)
        let values = columns.enumerated().map { $1.value(for: "\"the s\".n", salt: salt + $0) }
        return """
            MERGE INTO \(table.name) AS "the t" USING generate_series(\(number), \(number + 4)) AS "the s" (n) \
            ON "the t".\(key.name) = \(key.fixed("\"the s\".n")) \
            WHEN MATCHED AND "the s".n % 3 = 0 THEN DELETE \
            WHEN MATCHED THEN UPDATE SET \(column.name) = \(column.value(for: "\(number)", salt: salt)) \
            WHEN NOT MATCHED THEN INSERT (\(.joined(columns.map { "\($0.name)" }))) \
            \(columns.contains { $0.identity != .none } ? "OVERRIDING SYSTEM VALUE " : "" as SQL)VALUES (\(.joined(values)))
            """
    }

    /// Rows that go and come back with other values, in one transaction.
    private mutating func replacement(in table: RandomTable) -> SQL {
        guard let key = table.keyColumns.first else { return deletion(from: table) }
        let number = random.int(1...50)
        return """
            DELETE FROM \(table.name) WHERE \(key.name) IN (\(key.fixed("\(number)")), \(key.fixed("\(number + 1)")));
            \(table.insertion(from: number, to: number + 1, salt: random.int(0...1000)))
            """
    }

    /// Many subtransactions, some of which fail.
    private mutating func storm(on table: RandomTable) -> SQL {
        let number = fresh(8)
        let insertion = table.insertion(from: number, to: number, salt: random.int(0...1000))
        return """
            DO $storm$ BEGIN FOR turn IN 1..6 LOOP BEGIN \(insertion); \
            IF turn % 2 = 0 THEN RAISE EXCEPTION 'taken back'; END IF; \
            EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $storm$
            """
    }

    private mutating func truncation(of table: RandomTable) -> SQL {
        guard random.chance(40) else { return deletion(from: table) }
        var names: [SQL] = ["\(table.name)"]
        if random.chance(40) { names.append("\(random.pick(tables).name)") }
        let restart: SQL = random.chance(40) ? " RESTART IDENTITY" : ""
        return "TRUNCATE \(.joined(names))\(restart)\(random.chance(60) ? " CASCADE" : "" as SQL)"
    }
}

import Cluster
import Fields
import Foundation
import Postgres

/// A workload that is written down in YAML.
///
///     name: bookings
///     operations:
///       - { name: book, weight: 5, rows: 1, sql: "INSERT INTO bookings (room) VALUES ($1::bigint % 100)" }
///       - { name: look, reads: true, sql: "SELECT * FROM bookings WHERE room = $1::bigint % 100 LIMIT 10" }
///
/// `$1` and `$2` are random whole numbers from 0 to 2^53 - 1, which take a bigint; with `rows` the statement is checked to change or return so many.
enum WorkloadFile {
    /// Reads a file.
    ///
    /// - Throws: when it cannot be read, or something in it is not understood.
    static func profile(at path: String) throws -> WorkloadProfile {
        let text: String
        do {
            text = try String(contentsOf: URL(filePath: path), encoding: .utf8)
        } catch {
            throw PostgresError(
                "could not read the file \"\(path)\"",
                detail: error.localizedDescription,
                hint: "A profile is shop, orders, pgbench, or the path of a YAML file."
            )
        }
        let file = FieldFile(
            title: "file \"\(path)\"",
            form: "It is YAML: a name, and operations, each with name and sql.",
            hint: "An operation has name, sql, weight, rows and reads."
        )
        return try profile(FieldNode(parsing: text, as: file), of: file)
    }

    private static func profile(_ node: FieldNode, of file: FieldFile) throws(PostgresError) -> WorkloadProfile {
        var top = try FieldReader(node, title: "the top", of: file)
        let name = try top.text("name")
        var (writing, reading): ([Workload.Operation], [Workload.Operation]) = ([], [])
        for (number, node) in try top.list("operations").enumerated() {
            var fields = try top.reader(of: node, title: "operation \(number + 1)")
            let operation = try Self.operation(&fields)
            if try fields.optionalFlag("reads") == true { reading.append(operation) } else { writing.append(operation) }
            try fields.finish()
        }
        try top.finish()
        guard !writing.isEmpty || !reading.isEmpty else { throw top.refusal("It has no \"operations\".") }
        return WorkloadProfile(name: name, operations: writing, readOperations: reading)
    }

    private static func operation(_ fields: inout FieldReader) throws(PostgresError) -> Workload.Operation {
        let weight = try fields.optionalNumber("weight") ?? 1
        guard (1...1_000_000).contains(weight) else {
            throw fields.refusal("\"weight\" is \(weight), and should be 1 or more.")
        }
        return Workload.Operation(
            name: try fields.text("name"),
            weight: weight,
            statement: SQL(trusting: try fields.text("sql")),
            rows: try fields.optionalNumber("rows")
        )
    }
}

import ArgumentParser
import Foundation
import MartletClient
import Postgres

/// `martlet query`.
struct QueryCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "Ask a question in SQL, and get JSON, CSV or a table.",
        discussion: """
            Parameters are $1, $2 and so on, and are sent apart from the statement. It runs in a READ ONLY transaction \
            unless --write is given. JSON is written by the server: --object is the first row, or {}; --array is all \
            rows as one value, or []; --json is the same array row by row, of any length. The statement comes from \
            standard input when it is -.

            EXAMPLES
              martlet query "SELECT * FROM users WHERE id = $1" --param 7 --object
              martlet query "SELECT id, total FROM orders" prod --csv > orders.csv
              martlet query --file report.sql --array | jq length
              martlet query "DELETE FROM old RETURNING id" --write --array
            """
    )

    /// In which form rows are printed.
    enum Form: EnumerableFlag {
        case table, object, array, json, csv

        static func help(for value: Form) -> ArgumentHelp? {
            switch value {
            case .table: "A table for people, of the first thousand rows (the default)."
            case .object: "The first row as a JSON object; {} when there is none."
            case .array: "All rows as a JSON array; [] when there are none."
            case .json: "The same, row by row, however many there are."
            case .csv: "CSV with a heading; NULL is nothing, and an empty text is \"\"."
            }
        }
    }

    @Argument(help: "The statement; - is standard input.")
    var statement: String?

    @OptionGroup var environment: EnvironmentOptions
    @OptionGroup var confirmation: ConfirmOption

    @Option(help: ArgumentHelp("A file with the statement.", valueName: "file"))
    var file: String?

    @Option(
        name: .customLong("param"),
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("The next parameter; may be repeated.", valueName: "value")
    )
    var parameters: [String] = []

    @Flag(exclusivity: .exclusive)
    var form = Form.table

    @Flag(help: "Let it write.")
    var write = false

    func validate() throws {
        guard (statement == nil) != (file == nil) || file != nil && environment.word == nil else {
            throw ValidationError("Give a statement, or --file.")
        }
    }

    func run(output: Output) async throws -> ExitStatus {
        var options = environment
        // With --file the only word is the environment.
        if file != nil, let statement {
            options.word = statement
            try options.validate()
        }
        let environment = try options.choose(output)
        if write { try confirmation.ask(for: environment, to: "write to", output) }
        let sql = SQL(trusting: try text())
        let place = try await environment.connection()
        return try await withConnection(to: place, application: "martlet query") { connection in
            // Each row of a table may be long, and a question may be asked of a server that is far away.
            do {
                try await connection.transaction(write ? "BEGIN" : "BEGIN READ ONLY") {
                    try print(JSONQuery(sql), sql, connection, output)
                }
            } catch let error as PostgresError {
                throw Self.explain(error)
            }
            for notice in connection.takeNotices() { output.talk(notice) }
            return .done
        }
    }

    /// Tells what to do where the server's words are about our own statement.
    private static func explain(_ error: PostgresError) -> PostgresError {
        if error.message == "cannot copy rows with a plain query" {
            return PostgresError(
                "COPY has no rows to print",
                hint: "--csv prints those of a SELECT; martlet load reads files; martlet db connect opens psql."
            )
        }
        let hint: String? =
            switch error.sqlState {
            case "25006": "To let the statement write: --write"
            case "42601" where error.message.contains("multiple commands"):
                "Give one statement; martlet db schema --file FILE runs many."
            case "0A000" where error.message.contains("martlet_rows"):
                "It was not run, as it returns no rows: add RETURNING, or leave the form of the output away."
            default: nil
            }
        guard let hint, error.hint == nil else { return error }
        return PostgresError(error.message, detail: error.detail, hint: hint, sqlState: error.sqlState)
    }

    private func text() throws -> String {
        if let file {
            do {
                return try String(contentsOf: URL(filePath: file), encoding: .utf8)
            } catch {
                throw PostgresError("could not read the file \"\(file)\"", detail: error.localizedDescription)
            }
        }
        guard statement == "-" else { return statement ?? "" }
        return String(decoding: try FileHandle.standardInput.readToEnd() ?? Data(), as: UTF8.self)
    }

    private func print(_ json: JSONQuery, _ sql: SQL, _ connection: Connection, _ output: Output) throws(PostgresError)
    {
        switch form {
        case .object: try printWhole(json.object, or: "{}", connection, output)
        case .array: try printWhole(json.array, or: "[]", connection, output)
        case .json: try printArray(json.lines, connection, output)
        case .csv: try printCSV(sql, connection, output)
        case .table: try printTable(sql, connection, output)
        }
    }

    private func printWhole(
        _ sql: SQL,
        or empty: String,
        _ connection: Connection,
        _ output: Output
    ) throws(PostgresError) {
        let text = try connection.query(sql, parameters: parameters).first?.optional("json", as: String.self) ?? empty
        // What cannot be written ends the transaction that has written, too.
        try output.bytes(Array((text + "\n").utf8))
    }

    private func printArray(_ sql: SQL, _ connection: Connection, _ output: Output) throws(PostgresError) {
        var isFirst = true
        try RowPages(sql, parameters, writes: write, on: connection).forEach { rows throws(PostgresError) in
            var page = isFirst ? "[" : ""
            for row in rows {
                page += (isFirst ? "\n" : ",\n") + (row.text(0) ?? "null")
                isFirst = false
            }
            try output.bytes(Array(page.utf8))
        }
        try output.bytes(Array((isFirst ? "]\n" : "\n]\n").utf8))
    }

    private func printCSV(_ sql: SQL, _ connection: Connection, _ output: Output) throws(PostgresError) {
        var isFirst = true
        try RowPages(sql, parameters, writes: write, on: connection).forEach { rows throws(PostgresError) in
            var page = isFirst ? rows.columns.map(Self.csv).joined(separator: ",") + "\n" : ""
            isFirst = false
            for row in rows {
                page += (0..<row.count).map { row.text($0).map(Self.csv) ?? "" }.joined(separator: ",") + "\n"
            }
            try output.bytes(Array(page.utf8))
        }
    }

    private static func csv(_ text: String) -> String {
        let isPlain = !text.isEmpty && !text.utf8.contains { $0 == 34 || $0 == 44 || $0 == 10 || $0 == 13 }
        // Scalars, because a quote with an accent after it is one character to Swift.
        return isPlain ? text : "\"" + text.prefixing(["\""], with: "\"") + "\""
    }

    private func printTable(_ sql: SQL, _ connection: Connection, _ output: Output) throws(PostgresError) {
        let limit = 1000
        var (table, count, tag): (TextTable?, Int, String?) = (nil, 0, nil)
        try RowPages(sql, parameters, writes: write, on: connection).forEach(atMost: limit + 1) {
            rows throws(PostgresError) in
            if rows.columns.isEmpty { tag = rows.tag }
            if table == nil, !rows.columns.isEmpty { table = TextTable(rows.columns.map(Layout.plain)) }
            for row in rows {
                count += 1
                guard count <= limit else { return }
                table?.add((0..<row.count).map { Layout.plain(row.text($0) ?? "∅") })
            }
        }
        if let table { output.result(table.text) }
        if let tag { return output.talk(tag) }
        output.talk(
            count > limit
                ? "the first \(limit) rows; --csv and --json give all" : count == 1 ? "1 row" : "\(count) rows"
        )
    }
}

import ArgumentParser
import Cluster
import Foundation
import Postgres
import Sync

/// `martlet generate`.
struct GenerateCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Fill a table, or all of them, with plausible rows.",
        discussion: """
            Rows are made from what the catalog says of the table: types, lengths, NOT NULL, unique keys, checks, \
            enums, foreign keys, exclusion constraints, partitions. Texts follow the column's name: email, phone, \
            title, city. What the server draws from a sequence is left to it. The same seed makes the same rows, as \
            long as the tables that they refer to are the same. A table is filled in one transaction.

            With --all each table of the database that is empty is filled, those first that others refer to: 1,000 \
            rows where no foreign key leads on, and five times as many with each step away from there, times the scale.

            EXAMPLES
              martlet generate users --rows 10000
              martlet generate orders --rows 1000000 --skew 1
              martlet generate orders --rows 500 --dates 2025-01-01..2025-12-31
              martlet generate orders staging --rows 500 --values "status=open,paid"
              martlet generate users --rows 1000 --to csv > users.csv
              martlet generate --all --scale 10
            """
    )

    /// Where rows go.
    enum Destination: String, ExpressibleByArgument, CaseIterable {
        case copy, csv
    }

    @Argument(help: "Table, as SQL writes it: orders, sales.orders.")
    var table: String?

    @OptionGroup var environment: EnvironmentOptions
    @OptionGroup var confirmation: ConfirmOption

    @Option(help: "How many rows.")
    var rows: Int?

    @Flag(help: "Fill all tables that are empty, in the order of their foreign keys.")
    var all = false

    @Option(help: "How much larger or smaller than usual, with --all.")
    var scale = 1.0

    @Option(help: ArgumentHelp("Into the table, or as CSV to stdout.", valueName: "copy|csv"))
    var to = Destination.copy

    @Option(help: "What decides every choice.")
    var seed: UInt64 = 1

    @Option(help: "How unevenly foreign keys are drawn: 0 is evenly, 1 is a few often and many seldom (Zipf's law).")
    var skew = 0.0

    @Option(help: ArgumentHelp("The days of dates (default: the last two years).", valueName: "first..last"))
    var dates: Days?

    @Option(help: ArgumentHelp("The values of a column; may be repeated.", valueName: "column=value,…"))
    var values: [ColumnList] = []

    @Option(help: ArgumentHelp("The share of NULL where it is allowed, from 0 to 1.", valueName: "share"))
    var nulls = 0.05

    func validate() throws {
        if all {
            if rows != nil { throw ValidationError("With --all the numbers of rows follow --scale, not --rows.") }
            if to == .csv { throw ValidationError("--to csv is for one table.") }
            if table != nil, environment.word != nil { throw ValidationError("With --all no table is named.") }
        } else {
            guard table != nil else { throw ValidationError("Name a table, or give --all.") }
            guard let rows, (1...1_000_000_000_000).contains(rows) else {
                throw ValidationError("Give --rows, from 1 to 1000000000000.")
            }
        }
        guard (0...1).contains(nulls), (0...5).contains(skew), scale > 0, scale <= 1_000_000 else {
            throw ValidationError(
                "--nulls is from 0 to 1, --skew from 0 to 5, and --scale greater than 0, a million at most."
            )
        }
    }

    func run(output: Output) async throws -> ExitStatus {
        var options = environment
        // With --all the only word is the environment.
        if all, let table {
            options.word = table
            try options.validate()
        }
        let environment = try options.choose(output)
        if to == .copy { try confirmation.ask(for: environment, to: "fill", output) }
        let place = try await environment.connection()
        if all { return try await fillAll(place, output) }
        let shape = try await GeneratedRows.table(named: table ?? "", at: place)
        if to == .csv {
            try await GeneratedRows.csv(of: shape, wish(rows ?? 0), at: place) { block, _ throws(PostgresError) in
                try output.bytes(block)
            }
            return .done
        }
        try await fill(shape, wish(rows ?? 0), place, output)
        return .done
    }

    private func wish(_ rows: Int) -> GeneratedRows.Wish {
        var wish = GeneratedRows.Wish(rows: rows, seed: seed, days: (dates ?? Days.lastTwoYears).range)
        (wish.skew, wish.nullShare) = (skew, nulls)
        wish.values = Dictionary(values.map { ($0.column, $0.values) }) { $0 + $1 }
        return wish
    }

    private func fill(
        _ table: TableShape,
        _ wish: GeneratedRows.Wish,
        _ place: ConnectionString,
        _ output: Output
    ) async throws {
        let view = RowsView()
        view.begin("\(table.name)", whole: wish.rows)
        let rows: Int
        do {
            rows = try await LiveView(output: output).show({ { _ in [view.line] } }) {
                try await GeneratedRows.copy(into: table, wish, at: place) { rows in view.note(rows: rows, done: rows) }
            }
        } catch {
            guard Task.isCancelled else { throw error }
            throw Interrupted(cause: CancellationError(), text: "stopped; no row was added to table \(table.name)")
        }
        output.result("\(table.name): \(Quantity.of(rows, "row")) in \(Painter.elapsed(view.seconds))")
    }

    private func fillAll(_ place: ConnectionString, _ output: Output) async throws -> ExitStatus {
        let order = try await FillingOrder.read(at: place)
        guard !order.steps.isEmpty else {
            throw PostgresError(
                "there are no tables in \(place.place)",
                hint: "Load the schema first: martlet db schema"
            )
        }
        for step in order.steps {
            guard try await step.table.isEmpty(at: place) else {
                output.talk("\(step.table.name): has rows, and is left as it is")
                continue
            }
            let usual = 1000 * pow(5, Double(min(3, step.depth)))
            var wish = wish(max(1, Int(usual * scale)))
            wish.takesFewer = true
            wish.values = wish.values.filter { name, _ in step.table.hasColumn(name) }
            try await fill(step.table, wish, place, output)
        }
        return .done
    }

    /// `2025-01-01..2025-12-31`.
    struct Days: ExpressibleByArgument, Sendable {
        let range: ClosedRange<Int>

        init?(argument: String) {
            let parts = argument.split(separator: "..").map { GeneratedRows.day(String($0)) }
            guard parts.count == 2, let first = parts[0], let last = parts[1], first <= last else { return nil }
            range = first...last
        }

        private init(_ range: ClosedRange<Int>) { self.range = range }

        /// Until today.
        static var lastTwoYears: Days {
            let today = Int(Date.now.timeIntervalSince1970 / 86_400)
            return Days(today - 730...today)
        }
    }

    /// `status=open,paid`.
    struct ColumnList: ExpressibleByArgument, Sendable {
        let column: String
        let values: [String]

        init?(argument: String) {
            guard let sign = argument.firstIndex(of: "="), sign > argument.startIndex else { return nil }
            column = String(argument[..<sign])
            values = argument[argument.index(after: sign)...].split(separator: ",", omittingEmptySubsequences: false)
                .map(String.init)
        }
    }
}

import ArgumentParser
import Engine
import Foundation
import Move
import Postgres
import Sync

/// `martlet verify`.
struct VerifyCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Compare two databases row by row, or their definitions, also while a move keeps them equal.",
        discussion: """
            While a move runs, both databases are compared at one logical position, although both are written to: what \
            differs is a real difference. Without a move, each side is compared as it is now, which is exact when nobody \
            writes. Exits with 2 when anything differs.

            With --schema the definitions are compared instead of the rows: tables, columns, indexes, views, functions, \
            owners, privileges, comments and all else. What was asked for, such as --exclude, is listed apart.

            EXAMPLES
              martlet verify --source postgresql://app@old/shop \\
                  --target postgresql://app@new/shop
              martlet verify --source service=old --target service=new \\
                  --check balances.sql --json
              martlet verify --schema
            """
    )

    @OptionGroup var endpoints: EndpointOptions

    @Flag(help: "Compare only the definitions, and list every difference that was not asked for.")
    var schema = false

    @Flag(help: "Compare the text of every value: tells 1.0 from 1.00, and is several times slower.")
    var strict = false

    @Option(
        help: ArgumentHelp(
            "Also run the SELECTs of this file on both sides, and compare their rows.",
            valueName: "file"
        )
    )
    var check: String?

    @Flag(
        help: """
            Bring what differs into line with the server that the application writes to, then compare again; needs a \
            running move.
            """
    )
    var repair = false

    @OptionGroup var mapping: MappingOption

    @Option(help: "How many tables are read at once; without a running move.")
    var jobs = 2

    @Flag(help: "Print the verdict as JSON.")
    var json = false

    func run(output: Output) async throws -> ExitStatus {
        let endpoints = try endpoints.endpoints()
        if schema {
            guard mapping.mapping == nil else { throw SchemaVerification.mapped }
            return try await compareDefinitions(endpoints, output)
        }
        let checks = try check.map { try Self.read($0) }
        let answer = try await ask(endpoints, checks, output)
        if repair, answer == nil { throw Self.nothingToRepairWith }
        let verdict = if let answer { answer } else { try await compare(endpoints, checks, output) }
        if json {
            try output.json(verdict)
        } else {
            output.result(prose: verdict.lines.joined(separator: "\n"), indent: "    ")
        }
        return verdict.equal ? .done : .foundProblems
    }

    func validate() throws {
        guard schema, strict || repair || check != nil else { return }
        throw ValidationError("--schema compares only the definitions: leave --strict, --check and --repair out.")
    }

    private func compareDefinitions(_ endpoints: Endpoints, _ output: Output) async throws -> ExitStatus {
        let migration = try await withNeutralConnection(to: endpoints.target) { try Journal.migration(on: $0) }
        if let migration, !migration.hasConstraints {
            output.talk(
                prose:
                    "the move has not made everything yet: indexes, foreign keys, triggers and the like come after the rows"
            )
        }
        let verdict = try await SchemaVerification(endpoints: endpoints).run()
        if json {
            try output.json(verdict)
        } else {
            output.result(prose: verdict.lines.joined(separator: "\n"), indent: "    ")
        }
        return verdict.equal ? .done : .foundProblems
    }

    /// Has the martlet compare that runs a move between these two; nil when none does.
    private func ask(_ endpoints: Endpoints, _ checks: String?, _ output: Output) async throws -> Verdict? {
        try await Asker(target: endpoints.target, output: output)
            .ask("verify", Ask.Verify(isStrict: strict, checks: checks, repairs: repair), as: Verdict.self)
    }

    private static var nothingToRepairWith: PostgresError {
        PostgresError(
            "cannot repair without a running move",
            detail: "Rows can be brought into line only at a position that both servers are held at.",
            hint: "Start martlet migrate again, then repeat this command."
        )
    }

    private func compare(_ endpoints: Endpoints, _ checks: String?, _ output: Output) async throws -> Verdict {
        let migration = try await withNeutralConnection(to: endpoints.target) { try Journal.migration(on: $0) }
        output.talk(prose: Self.reservation(migration.flatMap { Phase(rawValue: $0.phase) }))
        var comparison = Comparison(source: .init(endpoints.source), target: .init(endpoints.target))
        if let chosen = try await chosenTables(endpoints) {
            comparison.tables = chosen.tables
            comparison.maps = chosen.maps
        }
        comparison.isStrict = strict
        comparison.workers = jobs
        comparison.checks = try checks.map { text throws(PostgresError) in try CheckFile(parsing: text) }
        comparison.progress = { progress in
            // The verdict tells what differs.
            if case .finished(let table) = progress, output.isTerminal, table.equal {
                output.talk(prose: table.lines.first ?? "")
            }
        }
        return try await comparison.run()
    }

    /// What is compared without a running move: what the journal says, or else a mapping file.
    private func chosenTables(
        _ endpoints: Endpoints
    ) async throws -> (tables: [QualifiedName], maps: TableMaps)? {
        if let chosen = try await Migration.chosenTables(of: endpoints) { return chosen }
        guard let file = try mapping.read() else { return nil }
        var options = MigrationOptions()
        options.mapping = file
        return try await Migration.chosenTables(of: endpoints.source, options: options)
    }

    /// What must be known about a comparison that no running move makes exact; the phase is that of a stopped move.
    static func reservation(_ phase: Phase?) -> String {
        guard let phase, !phase.isLast else {
            return "no martlet runs a move between them: each side is compared as it is now"
        }
        return """
            a move in phase "\(phase.title)" is stopped; both sides are compared as they are now, so what lags counts \
            as different; start martlet migrate first for an exact comparison
            """
    }

    private static func read(_ file: String) throws -> String {
        do {
            return try String(contentsOf: URL(filePath: file), encoding: .utf8)
        } catch {
            throw PostgresError(
                "could not read the file of checks \"\(file)\"",
                detail: error.localizedDescription,
                hint: "It holds SELECT statements, separated by semicolons, in UTF-8."
            )
        }
    }
}

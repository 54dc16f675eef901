import ArgumentParser
import Care
import Postgres

/// `martlet db reset`.
struct DatabaseReset: Command {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Empty all tables and fill them from the seed files; definitions and sessions stay.",
        discussion: """
            All in one transaction: whoever is connected sees the old rows, then the new ones. Sequences that belong \
            to columns begin anew. Tables of extensions are left alone.

            EXAMPLES
              martlet db reset
              martlet db reset prod --confirm shop
            """
    )

    @OptionGroup var environment: EnvironmentOptions
    @OptionGroup var confirmation: ConfirmOption
    @OptionGroup var files: FileOptions

    func run(output: Output) async throws -> ExitStatus {
        let environment = try environment.choose(output)
        try confirmation.ask(for: environment, to: "empty", output)
        let tables = try await withNeutralConnection(to: environment.connection()) {
            try QualifiedName.ownTables(on: $0)
        }
        var files = files.files(or: environment.seed, of: environment)
        guard !files.commitsEach else { throw ValidationError("--no-transaction cannot be used with reset.") }
        if !tables.isEmpty {
            let names = SQL.joined(tables.map { "\($0)" as SQL })
            files.first = "SET lock_timeout = '10s'; TRUNCATE \(names) RESTART IDENTITY"
        }
        try await FileStep(title: "seed", files: files, environment: environment).run(output)
        output.result("reset: \(tables.count) tables emptied before")
        return .done
    }
}

import ArgumentParser
import Care

/// `martlet db setup`.
struct DatabaseSetup: Command {
    static let configuration = CommandConfiguration(
        commandName: "setup",
        abstract: "Begin anew: drop, create, schema, seed.",
        discussion: """
            Each step has its label, and the first that fails ends it.

            EXAMPLES
              martlet db setup
              martlet db setup staging --force
            """
    )

    @OptionGroup var environment: EnvironmentOptions
    @OptionGroup var confirmation: ConfirmOption

    @Flag(help: "End the sessions that use the database.")
    var force = false

    func run(output: Output) async throws -> ExitStatus {
        let environment = try environment.choose(output)
        let database = try await environment.database(on: environment.connection())
        if try await database.exists() { try confirmation.ask(for: environment, to: "drop", output) }
        let isDropped = try await database.drop(force: force)
        output.result("drop: \(isDropped ? "database \"\(database.name)\" is dropped" : "there was none")")
        try await database.create()
        output.result("create: database \"\(database.name)\" is made")
        for (title, files) in [("schema", environment.schema), ("seed", environment.seed)] {
            guard !files.isEmpty else {
                output.result("\(title): \(EnvironmentFile.name) names no files")
                continue
            }
            let files = SQLFiles(urls: files, variables: environment.variables)
            try await FileStep(title: title, files: files, environment: environment).run(output)
        }
        return .done
    }
}

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
        let steps = [("schema", environment.schema), ("seed", environment.seed)].map { title, urls in
            (title: title, files: SQLFiles(urls: urls, variables: environment.variables))
        }
        // Before anything is dropped.
        for step in steps where !step.files.urls.isEmpty { try await step.files.checked() }
        if try await database.exists() { try confirmation.ask(for: environment, to: "drop", output) }
        let isDropped = try await database.drop(force: force)
        output.result("drop: \(isDropped ? "database \"\(database.name)\" is dropped" : "there was none")")
        try await database.create()
        output.result("create: database \"\(database.name)\" is made")
        for (title, files) in steps {
            guard !files.urls.isEmpty else {
                output.result("\(title): \(EnvironmentFile.name) names no files")
                continue
            }
            try await FileStep(title: title, files: files, environment: environment).run(output)
        }
        return .done
    }
}

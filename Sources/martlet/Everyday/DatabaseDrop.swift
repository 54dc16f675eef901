import ArgumentParser
import Care

/// `martlet db drop`.
struct DatabaseDrop: Command {
    static let configuration = CommandConfiguration(
        commandName: "drop",
        abstract: "Drop the database with all that is in it.",
        discussion: """
            One that is in use is left alone, and who uses it is listed; --force ends their sessions. A database that is \
            not there is fine.

            EXAMPLES
              martlet db drop
              martlet db drop staging --force
              martlet db drop prod --confirm shop
            """
    )

    @OptionGroup var environment: EnvironmentOptions
    @OptionGroup var confirmation: ConfirmOption

    @Flag(help: "End the sessions that use it.")
    var force = false

    func run(output: Output) async throws -> ExitStatus {
        let environment = try environment.choose(output)
        let database = try await environment.database(on: environment.connection())
        guard try await database.exists() else {
            output.result("database \"\(database.name)\" is not there")
            return .done
        }
        try confirmation.ask(for: environment, to: "drop", output)
        _ = try await database.drop(force: force)
        output.result("database \"\(database.name)\" is dropped")
        return .done
    }
}

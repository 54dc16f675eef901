import ArgumentParser
import Care
import Postgres

/// `martlet db create`.
struct DatabaseCreate: Command {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make the database.",
        discussion: """
            EXAMPLES
              martlet db create
              martlet db create staging --owner app
            """
    )

    @OptionGroup var environment: EnvironmentOptions

    @Option(help: "The role that owns it (default: the one that connects).")
    var owner: String?

    @Option(help: "The database that it is a copy of (default: template1).")
    var template: String?

    @Option(help: "Its encoding (default: the template's).")
    var encoding: String?

    func run(output: Output) async throws -> ExitStatus {
        let environment = try environment.choose(output)
        let database = try await environment.database(on: environment.connection())
        try await database.create(ServerDatabase.Making(owner: owner, template: template, encoding: encoding))
        output.result("database \"\(database.name)\" is made")
        return .done
    }
}

extension NamedEnvironment {
    /// Its database, whether it is there or not.
    func database(on connection: ConnectionString) throws -> ServerDatabase {
        ServerDatabase(try database(), at: connection)
    }
}

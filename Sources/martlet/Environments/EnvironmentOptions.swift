import ArgumentParser
import Foundation
import Postgres

/// Which database an everyday command acts on.
struct EnvironmentOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("Environment of martlet.yaml (default: dev).", valueName: "environment"))
    var word: String?

    @Option(help: ArgumentHelp("The same, as an option.", valueName: "environment"))
    var env: String?

    @Option(
        help: ArgumentHelp(
            "The file with the environments; or MARTLET_CONFIG (default: martlet.yaml here or in a folder above).",
            valueName: "file"
        )
    )
    var config: String?

    @Option(help: ArgumentHelp("Act on this database instead; it counts as protected.", valueName: "connection"))
    var connection: String?

    @Option(
        help: ArgumentHelp(
            "Act on a database of this sandbox instead: shop is its database postgres, shop/app another one.",
            valueName: "sandbox"
        )
    )
    var sandbox: String?

    func validate() throws {
        if let word, let env, word != env {
            throw ValidationError("Both \"\(word)\" and --env \(env) are given; choose one environment.")
        }
        if connection ?? sandbox != nil, word ?? env ?? config != nil {
            throw ValidationError(
                "--connection and --sandbox name a database by themselves; give no environment besides."
            )
        }
        guard connection == nil || sandbox == nil else {
            throw ValidationError("--connection and --sandbox both name a database; choose one.")
        }
    }

    /// The environment that is meant; it is told on stderr before anything is done.
    func choose(_ output: Output) throws -> NamedEnvironment {
        let environment = try find()
        output.talk(environment.line(output))
        return environment
    }

    private func find() throws -> NamedEnvironment {
        if connection != nil {
            let place = try Environment.connection(connection, or: "", option: "--connection")
            return NamedEnvironment(name: "this database", place: place, isProtected: true)
        }
        if let sandbox {
            let parts = sandbox.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let place = ConnectionString(settings: ["dbname": parts.count > 1 ? parts[1] : "postgres"])
            return try NamedEnvironment(name: "here", place: place, sandbox: parts[0], isProtected: false)
                .onItsSandbox()
        }
        let name = word ?? env ?? "dev"
        if let file = try EnvironmentFile.find(config) { return try file.environment(name) }
        throw PostgresError(
            "there is no \(EnvironmentFile.name) here, nor in a folder above",
            hint: """
                Write one, such as:
                environments:
                  \(name):
                    connection: postgresql://user@localhost/database
                or name a database with --connection or --sandbox.
                """
        )
    }
}

/// `--confirm`.
struct ConfirmOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The database's name, which a protected environment wants to be typed before something is destroyed.",
            valueName: "name"
        )
    )
    var confirm: String?

    /// Asks for the database's name where the environment is protected; `deed` says what would be done: `drop`.
    ///
    /// - Throws: when it is not typed, or is another; nothing was done.
    func ask(for environment: NamedEnvironment, to deed: String, _ output: Output) throws {
        guard environment.isProtected else { return }
        let question = "\(environment.name) is protected. Type the name of the database to \(deed) it:"
        try TypedConfirmation(of: environment.database(), given: confirm).ask(
            question,
            refusal: "environment \"\(environment.name)\" is protected",
            hint: { "To \(deed) it, say so with its name: --confirm \($0)" },
            output
        )
    }
}

import ArgumentParser
import Foundation
import Postgres

/// How SQL files are read.
struct FileOptions: ParsableArguments {
    @Option(
        name: .customLong("file"),
        help: ArgumentHelp("A file to read instead of those of martlet.yaml; may be repeated.", valueName: "file")
    )
    var files: [String] = []

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("A variable of psql, for the files; may be repeated.", valueName: "name=value")
    )
    var settings: [PsqlVariable] = []

    @Flag(help: "Commit each statement by itself, for those that cannot run in a transaction.")
    var noTransaction = false

    /// The files that are meant, or `usual`.
    func files(or usual: [URL], of environment: NamedEnvironment) -> SQLFiles {
        let given = files.map { URL(filePath: $0).absoluteURL }
        let variables = environment.variables.merging(settings.map { ($0.name, $0.value) }) { $1 }
        return SQLFiles(urls: given.isEmpty ? usual : given, variables: variables, commitsEach: noTransaction)
    }
}

/// `name=value`, a variable of psql.
struct PsqlVariable: ExpressibleByArgument, Sendable {
    let name: String
    let value: String

    init?(argument: String) {
        guard let match = argument.wholeMatch(of: /([A-Za-z_][A-Za-z0-9_]*)=(.*)/.dotMatchesNewlines()) else {
            return nil
        }
        (name, value) = (String(match.1), String(match.2))
    }
}

/// `martlet db schema`.
struct DatabaseSchema: Command {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Load the schema from its SQL files.",
        discussion: """
            psql reads the files that martlet.yaml names, in their order and in one transaction, with its variables \
            and its \\i. The first error ends it, with file and line, and nothing is changed then.

            EXAMPLES
              martlet db schema
              martlet db schema staging --file db/extra.sql --set owner=app
            """
    )

    @OptionGroup var load: LoadOptions

    func run(output: Output) async throws -> ExitStatus {
        try await load.run("schema", \.schema, output)
    }
}

/// `martlet db seed`.
struct DatabaseSeed: Command {
    static let configuration = CommandConfiguration(
        commandName: "seed",
        abstract: "Fill the tables from SQL files.",
        discussion: """
            As martlet db schema, with the files that martlet.yaml calls seed.

            EXAMPLES
              martlet db seed
              martlet db seed --file db/seed-large.sql
            """
    )

    @OptionGroup var load: LoadOptions

    func run(output: Output) async throws -> ExitStatus {
        try await load.run("seed", \.seed, output)
    }
}

/// What `schema` and `seed` take, and do.
struct LoadOptions: ParsableArguments {
    @OptionGroup var environment: EnvironmentOptions
    @OptionGroup var confirmation: ConfirmOption
    @OptionGroup var files: FileOptions

    /// Loads the files that are given, or those of the environment.
    func run(_ title: String, _ usual: KeyPath<NamedEnvironment, [URL]>, _ output: Output) async throws -> ExitStatus {
        let environment = try environment.choose(output)
        try confirmation.ask(for: environment, to: "load SQL into", output)
        let files = files.files(or: environment[keyPath: usual], of: environment)
        try await FileStep(title: title, files: files, environment: environment).run(output)
        return .done
    }
}

/// Reading the files of one kind into the database of an environment.
struct FileStep {
    /// `schema` or `seed`.
    let title: String
    let files: SQLFiles
    let environment: NamedEnvironment

    func run(_ output: Output) async throws {
        guard !files.urls.isEmpty else {
            throw PostgresError(
                "environment \"\(environment.name)\" has no \(title) files",
                hint: "Name them in \(EnvironmentFile.name) with \"\(title)\": a path, or a list; or give --file."
            )
        }
        let clock = ContinuousClock()
        let start = clock.now
        let names = files.urls.map(\.lastPathComponent).joined(separator: ", ")
        let place = try await environment.connection()
        let view = LiveView(output: output)
        try await view.show({ { _ in ["\(title): \(names), \(Self.seconds(start.duration(to: clock.now)))"] } }) {
            try await files.run(in: place) { output.talk($0) }
        }
        output.result("\(title): \(names) loaded in \(Self.seconds(start.duration(to: clock.now)))")
    }

    private static func seconds(_ duration: Duration) -> String {
        duration.formatted(
            .units(allowed: [.hours, .minutes, .seconds], width: .narrow, fractionalPart: .show(length: 1))
        )
    }
}

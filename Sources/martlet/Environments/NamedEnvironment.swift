import Catalog
import Cluster
import Foundation
import Postgres

/// A database under a name that people use, dev or prod: one entry of `martlet.yaml`.
struct NamedEnvironment: Sendable {
    /// What it is called.
    let name: String
    /// Where it is; a password that is kept elsewhere is not in it.
    private(set) var place: ConnectionString
    /// The sandbox that it is on, when ``place`` says only which database of it.
    let sandbox: String?
    /// Where its password is kept, if not in ``place``, in `.pgpass` or in `PGPASSWORD`.
    let password: PasswordPlace?
    /// Whether nothing is destroyed there before the database's name was typed.
    let isProtected: Bool
    /// The files that make its tables, in their order.
    let schema: [URL]
    /// The files that fill them, in their order.
    let seed: [URL]
    /// Variables that psql sets before it reads a file.
    let variables: [String: String]

    init(
        name: String,
        place: ConnectionString,
        sandbox: String? = nil,
        password: PasswordPlace? = nil,
        isProtected: Bool,
        schema: [URL] = [],
        seed: [URL] = [],
        variables: [String: String] = [:]
    ) {
        (self.name, self.place, self.sandbox) = (name, place, sandbox)
        (self.password, self.isProtected) = (password, isProtected)
        (self.schema, self.seed, self.variables) = (schema, seed, variables)
    }

    /// The same with the place of its sandbox, when it is on one.
    ///
    /// - Throws: when there is no such sandbox, or it was not made to its end.
    func onItsSandbox() throws -> NamedEnvironment {
        guard let sandbox else { return self }
        let server = try Sandboxes().find(sandbox)
        // Another server may have the port of one that is stopped.
        guard server.status == .running, let connection = server.connection(to: place["dbname"] ?? "postgres") else {
            throw PostgresError(
                "sandbox \"\(sandbox)\" is \(server.status == .database ? "a database of another server" : "not running")",
                hint: server.status == .database
                    ? "Name that server with \"connection\"." : "Start it: martlet sandbox start \(sandbox)"
            )
        }
        var found = self
        found.place = connection
        return found
    }

    /// The connection string with everything in it.
    ///
    /// - Throws: when the password cannot be read where it is kept.
    func connection() async throws -> ConnectionString {
        guard let password else { return place }
        return place.with("password", try await password.read(of: name))
    }

    /// The name of the database, which what makes or drops it must know.
    func database() throws(PostgresError) -> String {
        guard let name = place["dbname"], !name.isEmpty else {
            throw PostgresError(
                "environment \"\(self.name)\" names no database",
                hint: "Add dbname to its connection: \(EnvironmentFile.name) is the place for it, not PGDATABASE."
            )
        }
        return name
    }

    /// One line that says what a command acts on.
    func line(_ output: Output) -> String {
        let title = output.styled(name, isProtected ? .red : .green)
        let user = place["user"].map { " as \($0)" } ?? ""
        let place = sandbox.map { "database \(self.place["dbname"] ?? "") of sandbox \($0)" } ?? self.place.place
        return "\(title): \(place)\(user)\(isProtected ? ", protected" : "")"
    }
}

/// Where a password is kept that does not stand in `martlet.yaml`.
enum PasswordPlace: Sendable, Hashable {
    /// A variable of the environment.
    case variable(String)
    /// A file whose first line it is.
    case file(URL)
    /// A command of the shell that prints it.
    case command(String)

    /// Reads it.
    ///
    /// - Throws: when it is not there; the error does not show what was read.
    func read(of environment: String) async throws -> String {
        let (text, complaint) = try await contents()
        let line = text.map {
            $0.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).first.map(String.init) ?? ""
        }
        guard let line, !line.isEmpty else {
            throw PostgresError(
                "could not read the password of environment \"\(environment)\"",
                detail: complaint,
                hint: "Put it there, or leave \"password\" out: then .pgpass and PGPASSWORD count."
            )
        }
        return line
    }

    /// What is there, or why it is not.
    private func contents() async throws -> (text: String?, complaint: String) {
        switch self {
        case .variable(let name):
            return (ProcessInfo.processInfo.environment[name], "Variable \"\(name)\" is not set, or empty.")
        case .file(let url):
            do {
                return (try String(contentsOf: url, encoding: .utf8), "File \"\(url.path)\" is empty.")
            } catch {
                return (nil, "File \"\(url.path)\" could not be read: \(error.localizedDescription)")
            }
        case .command(let text):
            let outcome = try await Program(path: "/bin/sh", arguments: ["-c", text]).run()
            guard !outcome.isSuccess else { return (outcome.output, "Command \"\(text)\" printed nothing.") }
            return (nil, "Command \"\(text)\" failed. \(outcome.complaint)")
        }
    }
}

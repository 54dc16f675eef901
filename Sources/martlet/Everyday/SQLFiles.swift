import Catalog
import Foundation
import Postgres

/// SQL files that psql reads into a database: in their order, in one transaction, up to the first error.
struct SQLFiles: Sendable {
    /// The files.
    let urls: [URL]
    /// What psql sets before it reads them.
    let variables: [String: String]
    /// What is done before they are read, in the same transaction.
    var first: SQL?
    /// Whether each statement commits by itself, as some need that cannot run in a transaction.
    var commitsEach = false

    /// Reads them into a database.
    ///
    /// What they print goes to `tell`. A file is read from the folder that the command was given in, so that `\i` means
    /// what it means in psql there; `\ir` is seen from the file.
    ///
    /// - Throws: the first error, with its file and its line; everything is rolled back then, unless `commitsEach`.
    func run(in place: ConnectionString, tell: (String) -> Void) async throws {
        let installation = try await checked()
        let (connection, secrets) = place.forChildProcess
        var arguments = ["-X", "-q", "-d", connection, "-v", "ON_ERROR_STOP=1"]
        if !commitsEach { arguments.append("--single-transaction") }
        for (name, value) in variables.sorted(by: { $0.key < $1.key }) { arguments += ["-v", "\(name)=\(value)"] }
        if let first { arguments += ["-c", first.text] }
        for url in urls { arguments += ["-f", url.path] }
        let environment = installation.additionalEnvironment.merging(secrets) { $1 }
            .merging(["PGAPPNAME": "martlet db"]) { $1 }
        var program = Program(
            path: try installation.program("psql"),
            arguments: arguments,
            environment: environment,
            folder: FileManager.default.currentDirectoryPath
        )
        // ^C: psql cancels its statement, which would go on in the server otherwise.
        program.ending = .interrupt
        let outcome = try await program.run()
        if !outcome.output.isEmpty { tell(outcome.output.trimmingCharacters(in: .newlines)) }
        guard outcome.isSuccess else {
            try Task.checkCancellation()
            // The server warns of a BEGIN or COMMIT in a file.
            let endsByItself = outcome.complaint.contains("transaction in progress")
            throw Self.error(outcome.complaint, isRolledBack: !commitsEach && !endsByItself)
        }
        if !outcome.complaint.isEmpty { tell(outcome.complaint) }
    }

    /// The psql that would read them.
    ///
    /// - Throws: when a file cannot be read, or there is no psql.
    @discardableResult
    func checked() async throws -> Installation {
        for url in urls where !FileManager.default.isReadableFile(atPath: url.path) {
            throw PostgresError("could not read the file \"\(url.path)\"", hint: "Nothing was done.")
        }
        return try await Installation.psql()
    }

    /// What psql said: `psql:FILE:LINE: ERROR:  message`, then lines that belong to it.
    static func error(_ complaint: String, isRolledBack: Bool) -> PostgresError {
        let lines = complaint.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let end = isRolledBack ? "Nothing was changed: all of it is rolled back." : "What stands before it was done."
        guard let place = lines.lastIndex(where: { $0.contains(/^psql:.+:\d+: (ERROR|FATAL|error):/) }),
            let match = lines[place].wholeMatch(of: /psql:(.+):(\d+): (?:ERROR|FATAL|error):\s+(.*)/)
        else {
            return PostgresError("psql could not read the files", detail: complaint, hint: end)
        }
        var (detail, hint) = (["File \"\(match.1)\", line \(match.2)."], [String]())
        for line in lines[(place + 1)...] {
            if let text = line.wholeMatch(of: /HINT:\s+(.*)/)?.1 {
                hint.append(String(text))
            } else {
                detail.append(line.wholeMatch(of: /DETAIL:\s+(.*)/).map { String($0.1) } ?? line)
            }
        }
        return PostgresError(
            String(match.3),
            detail: detail.joined(separator: "\n"),
            hint: (hint + [end]).joined(separator: " ")
        )
    }
}

extension Installation {
    /// The newest psql that there is.
    ///
    /// - Throws: an error that names the Debian package when there is none.
    static func psql() async throws -> Installation {
        let all = await all(holding: "psql")
        try Task.checkCancellation()
        if let best = all.max(by: { $0.major < $1.major }) { return best }
        throw PostgresError(
            "could not find the program psql",
            hint: "Install it: apt-get install postgresql-client; or name its folder in MARTLET_PG_DIRS."
        )
    }
}

import Catalog
import Foundation
import Postgres

/// The directory of one server of ours, and how to read and write what is in it.
///
///     data/              the data directory
///     log                what initdb and the server wrote
///     martlet.conf       our settings, included by data/postgresql.conf
///     origin.json        where the data came from, when they were copied
///     tablespaces/       what a copied server has outside of its data directory
///     password           the superuser's, asked for on TCP; whoever may enter the directory needs none
///     .s.PGSQL.5432      the socket, unless this path is too long for one
///
/// It belongs to the account that runs the server (see ``ServerUser``), mode 0700. Everything in it is
/// written by that account, so that root never follows a link which somebody put there.
struct ServerDirectory: Sendable, Hashable {
    let path: String

    /// The superuser of every server of ours.
    static let superuser = "postgres"

    /// The longest path of a Unix socket, without the final zero byte (`sun_path` in unix(7)).
    static let socketPathLimit = 107

    var data: String { path + "/data" }
    var log: String { path + "/log" }

    /// Whether initdb has finished here.
    var isInitialised: Bool { FileManager.default.fileExists(atPath: path + "/martlet.conf") }

    /// Makes a directory with a short name under `$TMPDIR`, or under `/tmp` when the server's account cannot get there.
    static func temporary() throws -> ServerDirectory {
        let wanted = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        let reachable = ServerUser.needed?.canReach(wanted) ?? true
        let base = wanted.isEmpty || !reachable ? "/tmp" : wanted
        var template = Array(
            "\(base.count > 1 && base.hasSuffix("/") ? String(base.dropLast()) : base)/martlet-XXXXXX".utf8CString
        )
        guard mkdtemp(&template) != nil else {
            throw PostgresError("could not make a directory in \"\(base)\"", detail: String(cString: strerror(errno)))
        }
        let text = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let directory = ServerDirectory(path: text)
        try directory.handOver()
        return directory
    }

    /// Makes the directory unless it is there, and gives it to the server's account.
    func make() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try handOver()
    }

    private func handOver() throws {
        guard chmod(path, 0o700) == 0 else { throw failure("could not set the rights of") }
        guard let user = ServerUser.needed else { return }
        guard chown(path, user.userID, user.groupID) == 0 else { throw failure("could not hand over") }
        guard user.canReach(path) else {
            throw PostgresError(
                "cannot run a server in \"\(path)\"",
                detail: "We are root, so servers run as user \"\(user.name)\", who may not enter this directory.",
                hint: "Choose a directory below one that everyone may enter, such as \"/var/lib/martlet\"."
            )
        }
    }

    private func failure(_ message: String) -> PostgresError {
        PostgresError("\(message) directory \"\(path)\"", detail: String(cString: strerror(errno)))
    }

    /// Removes the directory and all in it; doing it twice is fine.
    ///
    /// It is renamed first: an initdb whose martlet was killed may still be writing, and must not
    /// write into what is made here next.
    func remove() throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        let aside = URL(filePath: path).deletingLastPathComponent()
            .appending(path: ".removed-\(UInt64.random(in: 0 ... .max))").path(percentEncoded: false)
        try FileManager.default.moveItem(atPath: path, toPath: aside)
        for attempt in 1...10 {
            do {
                return try FileManager.default.removeItem(atPath: aside)
            } catch {
                if attempt == 10 { throw error }
            }
        }
    }

    /// Writes a file as the server's account, whole or not at all.
    func write(_ text: String, to name: String) async throws {
        let script = #"umask 077; cat >"$1/$2.tmp" && mv -f "$1/$2.tmp" "$1/$2""#
        let outcome = try await Program.ofServer(script: script, [path, name]).run(input: text)
        guard outcome.isSuccess else {
            throw PostgresError("could not write file \"\(path)/\(name)\"", detail: outcome.complaint)
        }
    }

    /// What pg_controldata says of the data directory, by its English labels.
    ///
    /// - Throws: when it is not one of a server of this version.
    func controlData(_ binaries: Installation) async throws -> [String: String] {
        let outcome = try await Program.ofServer(
            try binaries.program("pg_controldata"),
            [data],
            environment: binaries.serverEnvironment.merging(["LC_ALL": "C"]) { $1 }
        ).run()
        guard outcome.isSuccess else {
            throw PostgresError("\"\(data)\" is not the data directory of a server", detail: outcome.complaint)
        }
        let lines = outcome.output.matches(of: /^([^:\n]+):\s+(.*)$/.anchorsMatchLineEndings())
        return Dictionary(lines.map { (String($0.1), String($0.2)) }) { $1 }
    }

    /// The bytes of a segment of the server's log.
    func segmentSize(_ binaries: Installation) async throws -> UInt64 {
        guard let size = try await controlData(binaries)["Bytes per WAL segment"].flatMap({ UInt64($0) }) else {
            throw PostgresError("pg_controldata does not tell the size of a segment")
        }
        return size
    }

    /// The superuser's password; nil before initdb.
    var password: String? {
        // A missing file is the answer "none yet".
        let text = try? String(contentsOfFile: path + "/password", encoding: .utf8)
        return text?.trimmingCharacters(in: .newlines)
    }

    /// Where the socket goes: this directory, or a short one under `/tmp` when the path would be too long.
    func socketDirectory() throws -> String {
        guard (path + "/.s.PGSQL.5432").utf8.count > Self.socketPathLimit else { return path }
        var template = Array("/tmp/martlet-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw failure("could not make a socket directory for") }
        let short = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try ServerDirectory(path: short).handOver()
        return short
    }

    /// The settings file: one `name = 'value'` a line.
    static func settingsText(_ settings: [String: String]) -> String {
        settings.sorted { $0.key < $1.key }.map { name, value in
            "\(name) = '\(value.prefixing(["\\"], with: "\\").prefixing(["'"], with: "'"))'\n"
        }.joined()
    }

    /// A database here, reached through the socket or, when there is a port, through TCP.
    ///
    /// An empty `hostaddr` keeps libpq from PGHOSTADDR, which would lead to another server.
    ///
    /// Of a copied server the superuser's name, `user`, and password are those of its source.
    func connection(to database: String, as user: String? = nil, socket: String, port: Int?) -> ConnectionString {
        guard let port else {
            return ConnectionString(
                settings: [
                    "host": socket, "hostaddr": "", "port": "5432", "dbname": database, "user": user ?? Self.superuser,
                ]
            )
        }
        var settings = [
            "host": "127.0.0.1", "hostaddr": "127.0.0.1", "port": String(port), "dbname": database,
            "user": user ?? Self.superuser,
        ]
        settings["password"] = password
        return ConnectionString(settings: settings)
    }
}

// MARK: - What the server tells

extension ServerDirectory {
    /// What `postmaster.pid` says: the process, and whether it accepts connections (`LOCK_FILE_LINE_*` in miscinit.c).
    struct Lock: Sendable {
        let process: Int32
        let status: String
        var isReady: Bool { status == "ready" || status == "standby" }
    }

    /// The lock file as it stands; it outlives a server that was killed.
    var lock: Lock? {
        // No file means that no server runs, and an unreadable one means the same to us.
        guard let text = try? String(contentsOfFile: data + "/postmaster.pid", encoding: .utf8) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let process = lines.first.flatMap({ Int32($0) }) else { return nil }
        return Lock(process: process, status: lines.count > 7 ? lines[7].trimmingCharacters(in: .whitespaces) : "")
    }

    /// How many bytes the log has.
    var logSize: Int {
        // A log that is not there yet has none.
        ((try? FileManager.default.attributesOfItem(atPath: log)[.size]) as? Int) ?? 0
    }

    /// The last lines of the log, at most `lines` of them, from a byte on.
    func logTail(lines: Int = 12, from start: Int = 0) -> String {
        guard let file = FileHandle(forReadingAtPath: log) else { return "" }
        // What cannot be closed or read cannot be told either.
        defer { try? file.close() }
        try? file.seek(toOffset: UInt64(max(start, logSize - 65_536)))
        let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
        return text.split(separator: "\n").suffix(lines).joined(separator: "\n")
    }

    /// An error that carries the end of the log, and not its name: what failed to start is mostly removed.
    func failure(_ message: String, logFrom start: Int) -> PostgresError {
        let tail = logTail(from: start)
        let hint: String? =
            if tail.contains("Address already in use") {
                "Another program listens there; choose another port."
            } else if tail.contains("unrecognized configuration parameter") || tail.contains("invalid value") {
                "Correct the setting that the log names."
            } else {
                nil
            }
        return PostgresError(
            message,
            detail: tail.isEmpty ? "Its log is empty." : "The end of its log:\n\(tail)",
            hint: hint
        )
    }
}

import Foundation
public import Postgres

/// A named server for people: it outlives the command that started it, and its data outlive its stops.
///
/// It lives in ``Sandboxes/directory``; `sandbox.json` in its directory is written last, so that a
/// directory without one was left by a start that did not finish, and the next start makes it anew.
public struct Sandbox: Sendable {
    /// Its name.
    public let name: String

    /// What it is doing.
    public let status: Status

    /// What was asked for when it was made; nil when it was not made to its end.
    let record: Record?

    let place: ServerDirectory

    /// What a sandbox is doing.
    public enum Status: String, Sendable, Encodable {
        /// It accepts connections.
        case running
        /// Its data wait for the next start.
        case stopped
        /// The command that made it did not finish; a start makes it anew, a removal removes it.
        case incomplete
        /// It is a database on the server that it was cloned from.
        case database
    }

    /// What `sandbox.json` holds.
    struct Record: Sendable, Codable, Hashable {
        var major: Int
        var binaries: String
        var port: Int?
        var socket: String
        var settings: [String: String]
        /// The role that initdb has made; nil is ours, `postgres`.
        var superuser: String?
    }

    /// Where it came from; nil when it was made empty.
    public let origin: Origin?

    /// The sandbox that it is a replica of.
    public var replicated: String? { origin?.kind == .replica ? origin?.sandbox : nil }

    /// The directory with its data and its log.
    public var directory: String { place.path }

    /// The file its server writes its log to.
    public var log: String { place.log }

    /// The major version of its server.
    public var major: Int? { record?.major }

    /// The TCP port on 127.0.0.1; nil when it listens on its socket alone.
    public var port: Int? { record?.port }

    /// Its settings beyond our defaults; how a replica reaches its source, with a password, is not among them.
    public var settings: [String: String] { (record?.settings ?? [:]).filter { $0.key != "primary_conninfo" } }

    /// Where one of its databases is; nil when it was not made to its end.
    public func connection(to database: String = "postgres") -> ConnectionString? {
        if let origin, let own = origin.database {
            return status == .database ? origin.place.with("dbname", own) : nil
        }
        return record.map { place.connection(to: database, as: $0.superuser, socket: $0.socket, port: $0.port) }
    }

    /// Where its server is for ourselves: through the socket, which asks for no password.
    var ownConnection: ConnectionString? {
        record.map {
            place.connection(to: "postgres", as: $0.superuser, socket: $0.socket, port: nil).with(
                "port",
                String($0.port ?? 5432)
            )
        }
    }

    /// ``connection(to:)`` as a URI, with the password if it has one; that of another server's database is not shown.
    public func uri(database: String = "postgres") -> String? {
        let place = connection(to: database)
        return (status == .database ? place?.with("password", nil).with("sslpassword", nil) : place)?.secretURI
    }

    init(name: String, in directory: String) {
        self.name = name
        place = ServerDirectory(path: directory + "/" + name)
        // No file, or one that cannot be read, is what an unfinished start leaves.
        let data = try? Data(contentsOf: URL(filePath: place.path + "/sandbox.json"))
        record = data.flatMap { try? JSONDecoder().decode(Record.self, from: $0) }
        let text = try? Data(contentsOf: URL(filePath: place.path + "/origin.json"))
        origin = text.flatMap { try? JSONDecoder().decode(Origin.self, from: $0) }
        status =
            if origin?.database != nil, origin?.isMade == true { .database } else if record == nil {
                .incomplete
            } else if Self.isRunning(place) { .running } else { .stopped }
    }

    /// Whether the process of the lock file is there and is a server.
    ///
    /// After a crash of the machine another program may have that number, so its command line is asked too.
    static func isRunning(_ place: ServerDirectory) -> Bool {
        guard let lock = place.lock, kill(lock.process, 0) == 0 || errno == EPERM else { return false }
        let commandLine = "/proc/\(lock.process)/cmdline"
        guard FileManager.default.fileExists(atPath: commandLine) else { return true }
        // A process that has ended meanwhile has no command line, and is not running.
        guard let text = try? String(contentsOfFile: commandLine, encoding: .utf8) else { return false }
        return text.contains("postgres") && text.contains(place.data)
    }
}

import Foundation
import Postgres

/// All sandboxes of one account on this machine.
///
/// Their directory is the first of: `MARTLET_STATE_DIR`; for root `/var/lib/martlet`, because their
/// servers run as another account that cannot enter root's home; `$XDG_STATE_HOME/martlet`;
/// `~/.local/state/martlet`. One command changes a sandbox at a time; a lock file for each
/// sees to that.
public struct Sandboxes: Sendable {
    /// The directory that holds a directory for each of them.
    public let directory: String

    /// The sandboxes of this account.
    public init() {
        let variables = ProcessInfo.processInfo.environment
        func variable(_ name: String) -> String? { variables[name].flatMap { $0.isEmpty ? nil : $0 } }
        let home = FileManager.default.homeDirectoryForCurrentUser.path(percentEncoded: false)
        let state =
            variable("MARTLET_STATE_DIR")
            ?? (ServerUser.needed == nil ? nil : "/var/lib/martlet")
            ?? variable("XDG_STATE_HOME").map { $0 + "/martlet" }
            ?? (home.hasSuffix("/") ? home : home + "/") + ".local/state/martlet"
        self.init(directory: URL(filePath: state).standardized.path(percentEncoded: false) + "/sandboxes")
    }

    init(directory: String) {
        self.directory = directory.replacing("//", with: "/")
    }

    /// What a start may ask for; what it leaves out stays as it was.
    public struct Wish: Sendable {
        /// The major version; an existing sandbox keeps its own.
        public var major: Int?
        /// Whether to listen on TCP.
        public var tcp: ServerConfiguration.TCP?
        /// Settings for `postgresql.conf`.
        public var settings: [String: String]

        /// Creates a wish.
        public init(major: Int? = nil, tcp: ServerConfiguration.TCP? = nil, settings: [String: String] = [:]) {
            self.major = major
            self.tcp = tcp
            self.settings = settings
        }
    }

    /// Every sandbox, by name.
    public func list() -> [Sandbox] {
        // No directory yet means no sandbox yet.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.filter(Self.isName).sorted().map { Sandbox(name: $0, in: directory) }
    }

    /// The sandbox of this name.
    ///
    /// - Throws: a ``PostgresError`` when there is none.
    public func find(_ name: String) throws -> Sandbox {
        try find(name, hint: "Make it with \"martlet sandbox start \(Self.isName(name) ? name : "NAME")\".")
    }

    private func find(_ name: String, hint: String?) throws -> Sandbox {
        if Self.isName(name), FileManager.default.fileExists(atPath: directory + "/" + name) {
            return Sandbox(name: name, in: directory)
        }
        let names = list().map(\.name).joined(separator: ", ")
        throw PostgresError(
            "could not find sandbox \"\(name)\"",
            detail: names.isEmpty ? "There are no sandboxes in \"\(directory)\"." : "There are these: \(names).",
            hint: hint
        )
    }

    /// Starts a sandbox, and makes it first when there is none of this name; may be repeated.
    ///
    /// A running sandbox is left alone unless the wish changes something; then it is restarted.
    /// When it fails or is cancelled, a new sandbox is removed again, and an old one is as it was before.
    public func start(_ name: String, _ wish: Wish = Wish()) async throws -> Sandbox {
        try checkName(name)
        for setting in ["port", "listen_addresses", "unix_socket_directories"] where wish.settings[setting] != nil {
            throw PostgresError("cannot set \"\(setting)\" of a sandbox", hint: "Use --tcp to listen on a port.")
        }
        return try await locked(name) {
            let old = Sandbox(name: name, in: directory)
            try checkHasServer(old)
            if let record = old.record {
                let changed = try changed(old, wish)
                if changed == record, old.status == .running { return old }
                try await restart(old, with: changed, insteadOf: record)
            } else if let origin = old.origin {
                throw PostgresError(
                    "sandbox \"\(name)\" is a \(origin.kind.rawValue) that was not made to its end",
                    hint: "Remove it, and make it again: martlet sandbox remove \(name)"
                )
            } else {
                try checkBackups(name)
                try await create(old.place, wish)
            }
            return Sandbox(name: name, in: directory)
        }
    }

    /// Stops a sandbox and keeps its data; may be repeated.
    public func stop(_ name: String) async throws {
        try await locked(name) {
            let sandbox = try find(name)
            try checkHasServer(sandbox)
            try await withoutCancellation { try await halt(sandbox.place) }
        }
    }

    /// Refuses the name of another server's backups: a command would take the one for the other.
    func checkBackups(_ name: String) throws(PostgresError) {
        guard Backups(of: self).isKept(name) else { return }
        throw PostgresError(
            "\"\(name)\" is the name of another server's backups",
            hint: "Choose another name; martlet backup list \(name) shows them."
        )
    }

    private func checkHasServer(_ sandbox: Sandbox) throws(PostgresError) {
        guard let origin = sandbox.origin, let database = origin.database else { return }
        throw PostgresError(
            "\"\(sandbox.name)\" is a database on the server of \(origin.source), and no server of its own",
            detail: "Database \"\(database)\" is there as long as that server runs."
        )
    }

    /// Stops a sandbox and removes it with its data.
    ///
    /// The slot of a replica is dropped on its source, or the database that it is there, unless `sourceIsGone`. A server that others were made from may be removed.
    ///
    /// - Throws: a ``PostgresError`` when there is none of this name, or the source of a replica cannot be reached.
    public func remove(_ name: String, sourceIsGone: Bool = false) async throws {
        try await remove(name, sourceIsGone: sourceIsGone) { _ in true }
    }

    /// Removes it if it is still what it was taken for when nobody else changes it.
    func remove(_ name: String, sourceIsGone: Bool = false, when isMeant: (Sandbox) -> Bool) async throws {
        try await locked(name) {
            // Whoever wants it gone need not be told how to make it.
            let sandbox = try find(name, hint: nil)
            guard isMeant(sandbox) else { return }
            try await withoutCancellation {
                try await halt(sandbox.place)
                if let origin = sandbox.origin, !sourceIsGone { try await removeFromSource(origin, name) }
                if let socket = sandbox.record?.socket, socket != sandbox.directory {
                    try ServerDirectory(path: socket).remove()
                }
                try sandbox.place.remove()
            }
        }
    }

    private func removeFromSource(_ origin: Origin, _ name: String) async throws {
        do {
            try await dropSlot(of: origin)
            try await origin.clone?.drop()
        } catch let error as PostgresError {
            let what =
                origin.slot.map { "the replication slot \"\($0)\"" } ?? "the database \"\(origin.database ?? "")\""
            let reason =
                origin.slot.map { _ in "A slot that nobody reads keeps log on its server until the disk is full." }
            throw PostgresError(
                "could not drop \(what) on \(origin.source)",
                detail: [error.message + ".", error.detail, reason].compactMap(\.self).joined(separator: " "),
                hint: "When that server is gone: martlet sandbox remove \(name) --source-is-gone"
            )
        }
    }

    /// Refuses what cannot be the name of a sandbox.
    func checkName(_ name: String) throws(PostgresError) {
        guard Self.isName(name) else {
            throw PostgresError(
                "cannot name a sandbox \"\(name)\"",
                hint: "Use at most 40 lower-case letters, digits, \"-\" and \"_\", and begin with a letter or a digit."
            )
        }
    }

    static func isName(_ text: String) -> Bool {
        text.wholeMatch(of: /[a-z0-9][a-z0-9_\-]{0,39}/) != nil
    }
}

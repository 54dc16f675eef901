import Foundation
import Postgres

/// All sandboxes of one account on this machine.
///
/// Their directory is the first of: `MARTLET_STATE_DIR`; for root `/var/lib/martlet`, because their
/// servers run as another account that cannot enter root's home; `$XDG_STATE_HOME/martlet`;
/// `~/.local/state/martlet`. One command changes sandboxes at a time; a lock file sees to that.
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
        guard Self.isName(name) else {
            throw PostgresError(
                "cannot name a sandbox \"\(name)\"",
                hint: "Use at most 40 lower-case letters, digits, \"-\" and \"_\", and begin with a letter or a digit."
            )
        }
        for setting in ["port", "listen_addresses", "unix_socket_directories"] where wish.settings[setting] != nil {
            throw PostgresError("cannot set \"\(setting)\" of a sandbox", hint: "Use --tcp to listen on a port.")
        }
        return try await locked {
            let old = Sandbox(name: name, in: directory)
            if let record = old.record {
                let changed = try changed(old, wish)
                if changed == record, old.status == .running { return old }
                try await restart(old, with: changed, insteadOf: record)
            } else {
                try await create(old.place, wish)
            }
            return Sandbox(name: name, in: directory)
        }
    }

    /// Stops a sandbox and keeps its data; may be repeated.
    public func stop(_ name: String) async throws {
        try await locked {
            let place = try find(name).place
            try await withoutCancellation { try await halt(place) }
        }
    }

    /// Stops a sandbox and removes it with its data.
    ///
    /// - Throws: a ``PostgresError`` when there is none of this name.
    public func remove(_ name: String) async throws {
        try await locked {
            // Whoever wants it gone need not be told how to make it.
            let sandbox = try find(name, hint: nil)
            try await withoutCancellation {
                try await halt(sandbox.place)
                if let socket = sandbox.record?.socket, socket != sandbox.directory {
                    try ServerDirectory(path: socket).remove()
                }
                try sandbox.place.remove()
            }
        }
    }

    static func isName(_ text: String) -> Bool {
        text.wholeMatch(of: /[a-z0-9][a-z0-9_\-]{0,39}/) != nil
    }
}

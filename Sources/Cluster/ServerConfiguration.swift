public import Catalog

/// What a server of ours is to be: which version, where its data are, what it listens on, which settings it has.
public struct ServerConfiguration: Sendable {
    /// Which installation to run; nil finds one with ``Catalog/Installation/server(major:directory:)``.
    public var binaries: Installation?

    /// The wanted major version when ``binaries`` is nil; nil takes the preferred installation.
    public var major: Int?

    /// A directory of the server's own, which is made when missing, and kept with its data afterwards.
    ///
    /// Nil makes a fresh one under `$TMPDIR` (or `/tmp`), which is removed afterwards.
    public var directory: String?

    /// What the server listens on besides its Unix socket.
    public var tcp: TCP?

    /// Settings for `postgresql.conf`, on top of ``defaultSettings(isDurable:)``.
    public var settings: [String: String] = [:]

    /// Whether the data survive a crash of the machine; throw-away servers are quicker without.
    public var isDurable = false

    /// How long a start or a stop may take.
    public var deadline: Duration = .seconds(60)

    /// A TCP port on 127.0.0.1.
    public enum TCP: Sendable, Hashable {
        /// Any free port.
        case anyPort
        /// This port.
        case port(Int)
    }

    /// A throw-away server of the preferred version that listens on its socket alone.
    public init(major: Int? = nil, tcp: TCP? = nil, settings: [String: String] = [:]) {
        self.major = major
        self.tcp = tcp
        self.settings = settings
    }

    /// The settings that every server of ours starts from: ready for logical replication, small, quiet.
    public static func defaultSettings(isDurable: Bool) -> [String: String] {
        var settings = [
            "wal_level": "logical", "max_wal_senders": "20", "max_replication_slots": "20",
            "max_logical_replication_workers": "20", "max_worker_processes": "30", "max_connections": "200",
            "max_prepared_transactions": "10",
            "shared_buffers": "64MB", "max_wal_size": "2GB", "log_line_prefix": "%m [%p] %q%u@%d ",
        ]
        if !isDurable {
            // synchronous_commit stays on: a commit must outlive a kill -9 of the server, which tests do.
            settings.merge(["fsync": "off", "full_page_writes": "off"]) { $1 }
        }
        return settings
    }
}

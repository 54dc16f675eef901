import ArgumentParser
import Cluster
import Foundation

/// The group of commands around sandboxes.
struct SandboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox",
        abstract: "Run PostgreSQL servers of your own to try things on.",
        discussion: """
            A sandbox is a PostgreSQL server with a name. It is made by the installed server programs (no container \
            is needed), keeps running when the command has ended, keeps its data when it is stopped, and is \
            forgotten when it is removed.

            EXAMPLES
              martlet sandbox start shop
              psql $(martlet sandbox start shop)
              martlet sandbox list
              martlet sandbox remove shop

            Sandboxes are kept in ~/.local/state/martlet/sandboxes (or $XDG_STATE_HOME/martlet/sandboxes); \
            MARTLET_STATE_DIR names another place. For root it is /var/lib/martlet/sandboxes, and their servers run \
            as user "postgres", because PostgreSQL refuses to run as root.
            """,
        subcommands: [SandboxStart.self, SandboxList.self, SandboxStop.self, SandboxRemove.self]
    )
}

/// A sandbox as `--json` shows it; the keys are stable.
struct SandboxDescription: Encodable {
    let name: String
    let status: Sandbox.Status
    let postgres: Int?
    let connection: String?
    let port: Int?
    let directory: String
    let log: String
    let settings: [String: String]
    /// `replica`, `clone` or `restored`; null when it was made empty.
    let kind: String?
    let source: String?
    let expires: Date?

    init(_ sandbox: Sandbox) {
        name = sandbox.name
        status = sandbox.status
        postgres = sandbox.major
        connection = sandbox.uri()
        port = sandbox.port
        directory = sandbox.directory
        log = sandbox.log
        settings = sandbox.settings
        kind = sandbox.origin?.kind.rawValue
        source = sandbox.origin?.source
        expires = sandbox.origin?.expires
    }
}

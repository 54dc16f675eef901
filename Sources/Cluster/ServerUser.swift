package import Catalog
import Foundation

/// The unprivileged account that runs a server when we are root, because PostgreSQL refuses to run as root.
///
/// It is `postgres` where that account exists, otherwise `nobody`.
package struct ServerUser: Sendable, Hashable {
    /// The account's name.
    package let name: String
    let userID: uid_t
    let groupID: gid_t

    /// The account to change to; nil when we are not root and servers run as ourselves.
    package static let needed: ServerUser? = {
        guard geteuid() == 0 else { return nil }
        return account(named: "postgres") ?? account(named: "nobody")
    }()

    private static func account(named name: String) -> ServerUser? {
        guard let entry = getpwnam(name) else { return nil }
        return ServerUser(name: name, userID: entry.pointee.pw_uid, groupID: entry.pointee.pw_gid)
    }

    /// Whether this account may walk down to a directory: it needs the x right on each directory on the way.
    func canReach(_ directory: String) -> Bool {
        var path = URL(filePath: directory).standardized.path(percentEncoded: false)
        while true {
            var status = stat()
            guard stat(path, &status) == 0 else { return false }
            let needed: mode_t =
                if status.st_uid == userID { S_IXUSR } else if status.st_gid == groupID { S_IXGRP } else { S_IXOTH }
            guard status.st_mode & needed != 0 else { return false }
            if path == "/" || path.isEmpty { return true }
            path = URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
            while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        }
    }
}

extension ServerUser {
    /// A command line that becomes this account first; `setpriv` is part of util-linux.
    ///
    /// Subprocess could change the account itself, but does so in the child of a bare clone: glibc's
    /// setuid there waits for a thread that the parent was just making, for ever. With many threads
    /// that happens every few hundred starts.
    static func command(as user: ServerUser?, _ path: String, _ arguments: [String]) -> (String, [String]) {
        guard let user else { return (path, arguments) }
        let change = ["--reuid=\(user.userID)", "--regid=\(user.groupID)", "--clear-groups", "--", path]
        return ("/usr/bin/setpriv", change + arguments)
    }
}

extension Program {
    /// A program that runs as the account of our servers.
    static func ofServer(_ path: String, _ arguments: [String], environment: [String: String?] = [:]) -> Program {
        let (path, arguments) = ServerUser.command(as: .needed, path, arguments)
        return Program(path: path, arguments: arguments, environment: environment)
    }

    /// A shell script that runs as the account of our servers, with its arguments as `$1`, `$2`….
    package static func ofServer(
        script: String,
        _ arguments: [String],
        environment: [String: String?] = [:]
    ) -> Program {
        ofServer("/bin/sh", ["-c", script, "martlet"] + arguments, environment: environment)
    }
}

import Foundation
import Subprocess

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

extension PlatformOptions {
    /// Runs a program as the server's account, in a session of its own so that ^C in our terminal does not reach it.
    static func server(as user: ServerUser?) -> PlatformOptions {
        var options = PlatformOptions()
        options.createSession = true
        if let user {
            options.userID = user.userID
            options.groupID = user.groupID
            options.supplementaryGroups = [user.groupID]
        }
        return options
    }
}

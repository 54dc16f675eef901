import Foundation
import Postgres
import TestSupport
import Testing

/// What deploy/kubernetes relies on: a Secret's files can be read by the group, because the pod is not root.
struct MountedSecretTests {
    @Test(.timeLimit(.minutes(5)))
    func `a service file that the group may read is enough, and a password file is not`() async throws {
        try await SecretMove.with { move in
            let services = move.directory + "/pg_service.conf"
            var sections = ""
            for (name, place) in [("source", move.secretSource), ("target", move.secretTarget)] {
                let keywords = ["host", "port", "dbname", "user", "password"].map { "\($0)=\(place[$0] ?? "")\n" }
                sections += "[\(name)]\n" + keywords.joined()
            }
            try Self.mount(sections, at: services)
            let environment = [
                "PGSERVICEFILE": services, "MARTLET_SOURCE": "service=source", "MARTLET_TARGET": "service=target",
            ]
            let moved = try await move.run(["migrate", "--once"], environment)
            #expect(moved.status == 0, "\(moved.error)")
            let late = try await move.run(["work", "--jobs", "2"], environment)
            #expect(late.status == 0 && late.output.contains("nothing is left to copy"), "\(late.output)\(late.error)")

            // The same rights on a password file, and libpq leaves it aside (passwordFromFile in fe-connect.c).
            let passwords = move.directory + "/passwords"
            let secret = (move.secretTarget["password"] ?? "").replacing("\\", with: "\\\\").replacing(":", with: "\\:")
            let target = move.secretTarget.with("password", nil).with("passfile", passwords)
            let other = environment.merging(["MARTLET_TARGET": target.secretText]) { $1 }
            try Self.mount("*:*:*:*:\(secret)\n", at: passwords)
            let refused = try await move.run(["status"], other)
            #expect(refused.status == 1 && refused.error.contains("no password supplied"), "\(refused.error)")
            try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: passwords)
            let taken = try await move.run(["status"], other)
            #expect(taken.status == 0, "\(taken.error)")
        }
    }

    /// Writes a file as kubelet mounts a Secret with `defaultMode: 0440`.
    private static func mount(_ text: String, at path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o440], ofItemAtPath: path)
    }
}

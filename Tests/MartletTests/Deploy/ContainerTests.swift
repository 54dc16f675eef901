import ArgumentParser
import Catalog
import Foundation
import TestSupport
import Testing
import Yams

@testable import martlet

/// What runs martlet without Kubernetes: the Containerfile, and the unit of systemd.
///
/// No container is built here: that needs a registry.
struct ContainerTests {
    /// The instructions of the Containerfile, continued lines joined, comments left out.
    private static func instructions() throws -> [(name: String, rest: String)] {
        let text = try Manifest.text(of: "Containerfile")
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.joined(separator: "\n")
        return lines.replacing("\\\n", with: " ").split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            return words.count == 2 ? (words[0], words[1]) : nil
        }
    }

    @Test func `the image runs martlet as nobody in particular`() throws {
        let instructions = try Self.instructions()
        let last = instructions.lastIndex { $0.name == "FROM" } ?? 0
        let final = instructions[last...]
        let user = try #require(final.last { $0.name == "USER" }?.rest.wholeMatch(of: /([0-9]+):([0-9]+)/))
        let pod = try #require(try Manifest.base().first { $0.name == "martlet-migrate" }?.pod?["securityContext"])
        #expect(Int(user.1) == pod["runAsUser"]?.int && Int(user.2) == pod["runAsGroup"]?.int)
        #expect(final.last { $0.name == "ENTRYPOINT" }?.rest == #"["/usr/local/bin/martlet"]"#)
        #expect(final.last { $0.name == "STOPSIGNAL" }?.rest == "SIGTERM")
        for package in ["libpq5", "libstdc++6", "tzdata", "ca-certificates", "postgresql-client-$major"] {
            #expect(final.contains { $0.name == "RUN" && $0.rest.contains(package) }, "\(package)")
        }
        let majors = try #require(final.first { $0.rest.hasPrefix("POSTGRESQL_CLIENTS=") }?.rest)
        for major in 14...18 { #expect(majors.contains("\(major)"), "pg_dump \(major)") }
    }

    @Test func `bases have versions, nothing is fetched by URL, and no Swift library is needed to run`() throws {
        let instructions = try Self.instructions()
        let bases = instructions.filter { $0.name == "ARG" && $0.rest.contains("docker.io") }.map(\.rest)
        #expect(bases.count == 2)
        for base in bases {
            #expect(base.contains(/:[0-9][0-9.]*[-a-z]*$/), "\(base)")
        }
        for (name, rest) in instructions {
            #expect(name != "ADD", "\(rest)")
            #expect(!rest.contains(/https?:\/\/|curl|wget/), "\(rest)")
            if name == "FROM" { #expect(rest.hasPrefix("${"), "\(rest) is not one of the bases above") }
        }
        #expect(instructions.contains { $0.rest.contains("--product martlet --static-swift-stdlib") })
        #expect(instructions.contains { $0.name == "COPY" && $0.rest.hasPrefix("--from=build /out/martlet") })
    }

    @Test func `what is copied into the build is let through`() throws {
        let root = Manifest.folder.appending(path: "..").standardized
        let ignored = try String(contentsOf: root.appending(path: ".containerignore"), encoding: .utf8)
        let through = Set(ignored.split(separator: "\n").filter { $0.hasPrefix("!") }.map { String($0.dropFirst()) })
        let copied = try Self.instructions().filter { $0.name == "COPY" && !$0.rest.hasPrefix("--from") }
            .compactMap { $0.rest.split(separator: " ").first.map(String.init) }
        #expect(Set(copied) == through)
        for name in through {
            #expect(FileManager.default.fileExists(atPath: root.appending(path: name).path(percentEncoded: false)))
        }
    }

    // MARK: systemd

    private static let unit = "systemd/martlet@.service"

    private static func settings() throws -> [String: String] {
        let lines = try Manifest.text(of: unit).split(separator: "\n").filter { !$0.hasPrefix("#") }
        let pairs = lines.filter { $0.contains("=") }.map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        return Dictionary(pairs.map { ($0[0], $0.count > 1 ? $0[1] : "") }) { $1 }
    }

    @Test func `the unit starts a command line that martlet takes, and knows its exit codes`() throws {
        let settings = try Self.settings()
        let start = try #require(settings["ExecStart"]).replacing("$MARTLET_OPTIONS", with: "--part-size 4GB")
        let command = try Martlet.parseAsRoot(start.split(separator: " ").dropFirst().map(String.init))
        #expect(command is MigrateCommand)
        let hopeless = [ExitStatus.foundProblems, .usage].map { "\($0.rawValue)" }.joined(separator: " ")
        #expect(settings["RestartPreventExitStatus"] == hopeless)
        #expect(settings["SuccessExitStatus"] == "\(ExitStatus.interrupted.rawValue)")
        #expect(settings["Restart"] == "on-failure")
    }

    private static let systemd = ["/usr/bin/systemd-analyze", "/bin/systemd-analyze"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    @Test(.enabled(if: systemd != nil, "systemd-analyze is not installed: the unit is not verified"))
    func `systemd understands the unit`() async throws {
        let text = try Manifest.text(of: Self.unit).replacing("/usr/local/bin/martlet ", with: "/bin/true ")
        func verify(_ text: String) async throws -> Program.Outcome {
            try await withTemporaryDirectory { directory in
                let file = directory + "/martlet@shop.service"
                try Data(text.utf8).write(to: URL(filePath: file))
                return try await Program(path: Self.systemd ?? "", arguments: ["verify", "--man=no", file]).run()
            }
        }
        let good = try await verify(text)
        #expect(good.isSuccess && good.complaint.isEmpty, "\(good.complaint)")
        let bad = try await verify(text.replacing("ProtectSystem=strict", with: "ProtectSystems=strict"))
        #expect(bad.complaint.contains("ProtectSystems"))
    }
}

import Catalog
import Foundation
import Postgres
import TestSupport
import Testing

@testable import martlet

struct EnvironmentFileTests {
    private func read(_ text: String) throws -> EnvironmentFile {
        try EnvironmentFile(parsing: text, at: URL(filePath: "/app/martlet.yaml"))
    }

    @Test func `environments have a connection, files, variables and a protection`() async throws {
        let file = try read(
            """
            environments:
              dev:
                connection: postgresql://app@localhost:5433/shop_dev
                schema: db/schema.sql
                seed: [db/seed.sql, /other/more.sql]
                variables: { owner: app }
              prod:
                connection: { host: db.example.org, dbname: shop, user: app, sslmode: verify-full }
                password: { variable: PATH }
              production: { connection: "dbname=a", protected: false }
            """
        )
        let dev = try file.environment("dev")
        #expect(dev.place["port"] == "5433" && dev.place["dbname"] == "shop_dev" && !dev.isProtected)
        #expect(dev.schema.map(\.path) == ["/app/db/schema.sql"])
        #expect(dev.seed.map(\.path) == ["/app/db/seed.sql", "/other/more.sql"])
        #expect(dev.variables == ["owner": "app"])
        let prod = try file.environment("prod")
        #expect(prod.isProtected && prod.place["sslmode"] == "verify-full")
        #expect(try await prod.connection()["password"] == ProcessInfo.processInfo.environment["PATH"])
        #expect(try !file.environment("production").isProtected)
        let error = #expect(throws: PostgresError.self) { try file.environment("staging") }
        #expect(error?.detail?.contains("dev, prod, production") == true)
    }

    @Test(arguments: [
        ("", "is empty"), ("a: 1", "no \"environments\""), ("environments: {}", "no environment"),
        ("environments: { dev: { } }", "no \"connection\""),
        ("environments: { dev: { connection: \"dbname=a\", shema: b } }", "field \"shema\""),
        ("environments: { dev: { connection: \"dbname=a\" } }\nenvironment: x", "field \"environment\""),
        ("environments: { dev: { connection: \"dbname=a\", protected: maybe } }", "true or false"),
        ("environments: { dev: { connection: \"dbname=a\", password: secret } }", "password"),
        (
            "environments: { dev: { connection: \"dbname=a\", password: { file: a, command: b } } }",
            "more than one thing"
        ),
        ("environments: { dev: { connection: { hots: a } } }", "hots"),
        ("environments: { dev: { connection: [a] } }", "no \"connection\""),
        ("environments: [dev]", "object"), ("\t", "could not read"),
    ])
    func `what is not understood is refused`(text: String, message: String) {
        let error = #expect(throws: PostgresError.self) { try read(text) }
        let all = [error?.message, error?.detail].compactMap(\.self).joined(separator: " ")
        #expect(all.contains(message), "\(all)")
        #expect(!all.contains("secret"))
    }

    @Test func `a password is read where it is kept`() async throws {
        try await withTemporaryDirectory { directory in
            let path = URL(filePath: directory + "/secret")
            try Data("from file\nsecond line\n".utf8).write(to: path)
            #expect(try await PasswordPlace.file(path).read(of: "dev") == "from file")
            #expect(try await PasswordPlace.command("echo from command").read(of: "dev") == "from command")
            for place in [
                PasswordPlace.variable("MARTLET_NO_SUCH"), .command("exit 3"),
                .file(URL(filePath: directory + "/none")),
            ] {
                let error = await #expect(throws: PostgresError.self) { try await place.read(of: "dev") }
                #expect(error?.message == "could not read the password of environment \"dev\"")
            }
        }
    }

    @Test func `words for a shell are quoted when they must be`() {
        #expect(ShellWord("shop_1").description == "shop_1")
        #expect(ShellWord("it's").description == #"'it'\''s'"#)
        #expect(ShellWord("").description == "''")
    }
}

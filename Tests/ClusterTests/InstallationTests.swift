import Catalog
import Cluster
import Postgres
import TestSupport
import Testing

struct InstallationTests {
    @Test func `a missing major is told with the package that brings it`() async {
        let error = await #expect(throws: PostgresError.self) { try await Installation.server(major: 9) }
        #expect(error?.message == "could not find a PostgreSQL 9 server")
        #expect(error?.hint?.contains("apt-get install postgresql-9") == true)
    }

    @Test func `a directory without a server is an error`() async {
        let error = await #expect(throws: PostgresError.self) { try await Installation.server(directory: "/usr") }
        #expect(error?.message == "could not find PostgreSQL in \"/usr\"")
    }

    @Test(arguments: await TestServer.availableMajors)
    func `an installation knows its major and its programs`(major: Int) async throws {
        let binaries = try await TestServer.binaries(major: major)
        #expect(binaries.version.hasPrefix("\(major)"))
        let initdb = try binaries.program("initdb")
        #expect(initdb == binaries.directory + "/initdb")
        let error = #expect(throws: PostgresError.self) { try binaries.program("pg_nothing") }
        #expect(error?.message == "could not find program \"pg_nothing\" of PostgreSQL \(major)")
    }
}

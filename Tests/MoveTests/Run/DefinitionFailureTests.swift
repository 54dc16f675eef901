import Postgres
import TestSupport
import Testing

@testable import Move

@Suite(.temporaryDatabase)
struct DefinitionFailureTests {
    private static let script: SQL = """
        --
        -- Name: é🦤; Type: TABLE
        --

        CREATE TABLE "é🦤" (id int);


        --
        -- Name: t; Type: TABLE
        --

        CREATE TABLE t (
            id int,
            v int GENERATED ALWAYS AS ((id + 1))
        );


        CREATE TABLE u (id int);
        """

    @Test func `the definition that the target refused is shown`() async throws {
        try await withConnection(to: TemporaryDatabase.current) { connection in
            let refusal = try #require(throws: PostgresError.self) { try connection.execute(Self.script) }
            let error = DefinitionFailure.explain(refusal, in: Self.script, isFinal: false)
            #expect(error.message == "the target refused a definition of the source")
            #expect(
                error.detail == """
                    syntax error at or near ")"
                    CREATE TABLE t (
                        id int,
                        v int GENERATED ALWAYS AS ((id + 1))
                    );
                    """
            )
            #expect(error.hint?.contains("--exclude") == true)
        }
    }

    @Test(arguments: [
        "CREATE USER MAPPING FOR a SERVER b OPTIONS (\n    password 's3cret'\n);",
        "CREATE USER MAPPING FOR a SERVER b OPTIONS (\n    password 'two\n\ns3cret'\n);",
        "CREATE SUBSCRIPTION s CONNECTION 'password=s3cret' PUBLICATION p;",
    ])
    func `what may hold a password is not shown`(definition: String) throws {
        let script = "CREATE TABLE t (id int);\n\n\n\(definition)\n\n\nCREATE TABLE u (id int);\n"
        for position in 1...script.unicodeScalars.count {
            #expect(DefinitionFailure.statement(in: script, at: position)?.contains("s3cret") != true)
        }
    }

    @Test func `what passes by itself is not explained`() {
        let lost = PostgresError("lost the connection", sqlState: "08006")
        #expect(DefinitionFailure.explain(lost, in: Self.script, isFinal: true) == lost)
    }
}

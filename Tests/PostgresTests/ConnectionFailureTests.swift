import Testing

@testable import Postgres

struct ConnectionFailureTests {
    @Test(
        arguments: [
            ("FATAL:  password authentication failed for user \"u\"", "28P01", "password"),
            ("fe_sendauth: no password supplied", "28P01", "PGPASSWORD"),
            ("FATAL:  no pg_hba.conf entry for host \"::1\"", "28000", "pg_hba.conf"),
            ("FATAL:  permission denied to start WAL sender", "42501", "REPLICATION"),
            ("FATAL:  sorry, too many clients already", "53300", "max_connections"),
            ("FATAL:  database \"d\" does not exist", "3D000", "database"),
            ("FATAL:  the database system is in recovery mode", "57P03", "recovers"),
            ("timeout expired", "08001", "connect_timeout"),
            ("server does not support SSL, but SSL was required", "08001", "ssl = on"),
            ("SSL error: certificate verify failed", "08001", "sslrootcert"),
            ("server certificate for \"a\" does not match host name \"h\"", "08001", "verify-ca"),
            ("root certificate file \"/ca\" does not exist", "08001", "sslrootcert"),
            (
                "FATAL:  no pg_hba.conf entry for host \"h\", user \"u\", database \"d\", no encryption", "28000",
                "sslmode=require"
            ),
            (
                "FATAL:  no pg_hba.conf entry for host \"h\", user \"u\", database \"d\", SSL encryption", "28000",
                "Add a line"
            ),
            ("something new", "08001", "pg_hba.conf"),
        ]
    )
    func `a reason has its SQLSTATE and its hint`(reason: String, sqlState: String, hint: String) throws {
        let target = try ConnectionString("host=h dbname=d user=u password=s3cret")
        let error = ConnectionFailure.explain(reason + "\n", target: target)
        #expect(error.message == "could not connect to h:5432/d")
        #expect(error.detail == reason)
        #expect(error.sqlState == sqlState)
        #expect(error.hint?.contains(hint) == true)
        #expect(!error.description.contains("s3cret"))
    }
}

/// Says why no session could be opened, and what to do about it.
///
/// libpq gives a failed connection no SQLSTATE and one text for all addresses it tried, so the
/// reasons are told apart by the server's own phrases, which are stable since PostgreSQL 9.
enum ConnectionFailure {
    static func explain(_ reason: String, target: ConnectionString) -> PostgresError {
        let facts = reason.split(whereSeparator: \.isNewline).joined(separator: "\n")
        let known = hints.first { facts.contains($0.phrase) }
        return PostgresError(
            "could not connect to \(target.place)",
            detail: facts,
            hint: known?.hint ?? "Check the host, the port and the server's pg_hba.conf.",
            sqlState: known?.sqlState ?? "08001"
        )
    }

    private static let hints: [(phrase: String, sqlState: String, hint: String)] = [
        (
            "password authentication failed", "28P01",
            "Check the user and the password; a password can also come from PGPASSWORD or ~/.pgpass."
        ),
        ("no password supplied", "28P01", "Give a password in the connection string, in PGPASSWORD or in ~/.pgpass."),
        // Before those whose words are in these messages, too.
        (
            "server does not support SSL", "08001",
            "Give that server a certificate and set ssl = on, or ask for less with another sslmode."
        ),
        (
            "certificate verify failed", "08001",
            "No authority in sslrootcert has signed the server's certificate: check that file, and who answers there."
        ),
        (
            "does not match host name", "08001",
            "Connect by a name that the certificate is for; with sslmode=verify-ca any name will do."
        ),
        (
            "root certificate file", "08001",
            "Name the file with the authority's certificates by sslrootcert, or put it where libpq looks for it."
        ),
        ("certificate file", "08001", "Check sslcert and sslkey: the files, their rights and their form."),
        ("private key file", "08001", "Check sslcert and sslkey: the files, their rights and their form."),
        // Tried with TLS and without.
        (
            ", SSL encryption", "28000",
            "Add a line for this host, user and database to the server's pg_hba.conf, then reload it."
        ),
        (
            "no encryption", "28000",
            "Ask for TLS with sslmode=verify-full or sslmode=require, or add a line for this host to its pg_hba.conf."
        ),
        (
            "no pg_hba.conf entry", "28000",
            "Add a line for this host, user and database to the server's pg_hba.conf, then reload it."
        ),
        ("must be superuser or replication role", "42501", "Run on that server: ALTER ROLE … REPLICATION."),
        ("permission denied to start WAL sender", "42501", "Run on that server: ALTER ROLE … REPLICATION."),
        ("number of requested standby connections", "53300", "Raise max_wal_senders on that server and restart it."),
        ("too many clients", "53300", "Raise max_connections on that server, or close some sessions."),
        ("too many connections for", "53300", "Raise the CONNECTION LIMIT of the role or the database."),
        ("remaining connection slots", "53300", "Raise max_connections on that server, or close some sessions."),
        ("not permitted to log in", "28000", "Run on that server: ALTER ROLE … LOGIN."),
        ("does not exist", "3D000", "Check the names of the database and the role; create what is missing."),
        ("not yet accepting connections", "57P03", "Wait until the server has started, then try again."),
        ("in recovery mode", "57P03", "The server recovers from a crash; wait until it is done, then try again."),
        ("starting up", "57P03", "Wait until the server has started, then try again."),
        ("shutting down", "57P03", "The server is stopping; try again when it is back."),
        (
            "Connection refused", "08001",
            "Check that the server runs, listens on this address and port, and that no firewall is between."
        ),
        ("could not translate host name", "08001", "Check the spelling of the host name."),
        ("No such file or directory", "08001", "No server listens on that socket; check the host and the port."),
        (
            "timeout expired", "08001",
            "The server did not answer in time; check the address and the firewall, or raise connect_timeout."
        ),
        ("SSL", "08001", "Check sslmode and the certificates."),
    ]
}

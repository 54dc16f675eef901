public import Cluster
import Postgres

extension Server {
    /// Makes a server with TCP take encrypted sessions; restarts it.
    ///
    /// It signs its certificate for 127.0.0.1 itself: `server.crt` in its data directory.
    public func encrypt() async throws {
        try await makeCertificate(named: "server")
        try await set(["ssl": "on"])
        try await restart()
    }

    /// Makes `name.crt` and `name.key` in the data directory, by the server's own account, so that it may read the key.
    public func makeCertificate(named name: String) async throws {
        let command = """
            cat >/dev/null; openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
            -out \(name).crt -keyout \(name).key 2>/dev/null && chmod 600 \(name).key
            """
        try await execute(socketConnection(), "COPY (SELECT 1) TO PROGRAM \(literal: command)")
    }
}

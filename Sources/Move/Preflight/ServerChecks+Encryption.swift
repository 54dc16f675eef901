import Postgres

/// Who else could read what goes over the wire, and pretend to be the server.
extension ServerChecks {
    /// Whether passwords and rows go encrypted where others could read them.
    static func encryption(_ server: ServerSurvey, on side: Finding.Side) -> Finding {
        encryption(of: server.protection, on: side, takesTLS: server.takesTLS)
    }

    static func encryption(of session: SessionProtection, on side: Finding.Side, takesTLS: Bool) -> Finding {
        let check = "\(side.rawValue).encryption"
        if let encryption = session.encryption {
            let who =
                switch session.identity {
                case .hostName: "the server's certificate is verified, and its host name"
                case .authority: "the server's certificate is verified, its host name is not"
                case .unverified: "the server's certificate is not verified"
                }
            let isGSS = encryption == "GSSAPI"
            return Finding(
                check,
                .pass,
                "sessions are encrypted with \(encryption)" + (isGSS ? "" : "; \(who)"),
                detail: session.identity == .unverified
                    ? "Somebody on the way could pretend to be the server; sslmode=verify-full with sslrootcert keeps him out."
                    : nil
            )
        }
        switch session.way {
        case .socket: return Finding(check, .pass, "sessions go through a Unix socket, and need no encryption")
        case .loopback: return Finding(check, .pass, "sessions are not encrypted, and do not leave this machine")
        case .network:
            let how =
                takesTLS
                ? "The server takes TLS: add sslmode=verify-full with sslrootcert, or at least sslmode=require, to the "
                    + "connection string."
                : "The server takes no TLS: give it a certificate and set ssl = on, or go through a tunnel."
            return Finding(
                check,
                .warning,
                "sessions are not encrypted: passwords and rows can be read on the way",
                detail: how
            )
        }
    }
}

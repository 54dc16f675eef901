private import CLibPQ

/// How a session is protected on its way, as the client's side of it knows.
public struct SessionProtection: Sendable, Hashable {
    /// What lies between us and the server, or whatever forwards to it.
    public enum Way: Sendable, Hashable {
        /// A Unix socket.
        case socket
        /// TCP that does not leave this machine.
        case loopback
        /// TCP that others may read.
        case network
    }

    /// How sure we are who is at the other end.
    public enum Identity: String, Sendable, Hashable {
        /// Not at all: any certificate is taken.
        case unverified
        /// An authority that we trust signed the certificate: `sslmode=verify-ca`.
        case authority
        /// It did, for this host name: `sslmode=verify-full`.
        case hostName
    }

    /// What lies between.
    public let way: Way
    /// `TLSv1.3` and the like, or `GSSAPI`; nil when the session is not encrypted.
    public let encryption: String?
    /// How sure we are who is at the other end; of GSSAPI, whose tickets are for one host, ``Identity/hostName``.
    public let identity: Identity

    /// Describes a session.
    public init(way: Way, encryption: String?, identity: Identity) {
        self.way = way
        self.encryption = encryption
        self.identity = identity
    }
}

extension Connection {
    /// How this session is protected; `sslmode` counts wherever it came from.
    public var protection: SessionProtection {
        let isGSS = unsafe PQgssEncInUse(handle) == 1
        let version = unsafe PQsslAttribute(handle, "protocol").map { unsafe String(cString: $0) }
        let encryption: String? = isGSS ? "GSSAPI" : isEncrypted ? version ?? "TLS" : nil
        let identity: SessionProtection.Identity =
            switch effective("sslmode") {
            case _ where isGSS: .hostName
            case "verify-full": .hostName
            case "verify-ca": .authority
            default: .unverified
            }
        return SessionProtection(way: way, encryption: encryption, identity: encryption == nil ? .unverified : identity)
    }

    /// libpq tells the address that it reached, and for a socket the directory as the host.
    private var way: SessionProtection.Way {
        let host = unsafe PQhost(handle).map { unsafe String(cString: $0) } ?? ""
        let address = unsafe PQhostaddr(handle).map { unsafe String(cString: $0) } ?? ""
        if host.hasPrefix("/") || host.hasPrefix("@") { return .socket }
        return address.hasPrefix("127.") || address == "::1" ? .loopback : .network
    }

    /// A keyword's value with libpq's defaults, its variables and its service file.
    private func effective(_ keyword: String) -> String? {
        guard let options = unsafe PQconninfo(handle) else { return nil }
        defer { unsafe PQconninfoFree(options) }
        var option = unsafe options
        while let name = unsafe option.pointee.keyword {
            if unsafe String(cString: name) == keyword {
                return unsafe option.pointee.val.map { unsafe String(cString: $0) }
            }
            unsafe option += 1
        }
        return nil
    }
}

import Postgres
import Testing

@testable import Move

struct EncryptionFindingTests {
    @Test(
        arguments: [
            (.network, nil, .unverified, .warning, "not encrypted"),
            (.loopback, nil, .unverified, .pass, "this machine"),
            (.socket, nil, .unverified, .pass, "Unix socket"),
            (.network, "TLSv1.2", .unverified, .pass, "certificate is not verified"),
            (.network, "TLSv1.3", .authority, .pass, "its host name is not"),
            (.network, "TLSv1.3", .hostName, .pass, "is verified, and its host name"),
            (.network, "GSSAPI", .hostName, .pass, "encrypted with GSSAPI"),
        ] as [(SessionProtection.Way, String?, SessionProtection.Identity, Finding.Level, String)]
    )
    func `only what others could read is warned of`(
        way: SessionProtection.Way,
        encryption: String?,
        identity: SessionProtection.Identity,
        level: Finding.Level,
        text: String
    ) {
        let session = SessionProtection(way: way, encryption: encryption, identity: identity)
        for side in [Finding.Side.source, .target] {
            let finding = ServerChecks.encryption(of: session, on: side, takesTLS: true)
            #expect(finding.level == level && finding.side == side && finding.check == "\(side.rawValue).encryption")
            #expect(finding.message.contains(text), "\(finding.message)")
        }
    }

    @Test(arguments: [(true, "sslmode=verify-full"), (false, "set ssl = on")])
    func `the way out depends on what the server can do`(takesTLS: Bool, text: String) {
        let session = SessionProtection(way: .network, encryption: nil, identity: .unverified)
        let finding = ServerChecks.encryption(of: session, on: .source, takesTLS: takesTLS)
        #expect(finding.detail?.contains(text) == true)
    }
}

import Engine
import Postgres
import Testing

struct LimitsTests {
    @Test(
        arguments: [
            ("50MB", 52_428_800), ("1kB", 1024), ("1.5 GB", 1_610_612_736), ("50MB/s", 52_428_800), ("2048B", 2048),
            ("1TB", 1_099_511_627_776),
        ]
    )
    func `a rate is read as PostgreSQL writes sizes`(text: String, bytes: Int) throws {
        #expect(try ServerUnit.bytes(text, for: "--max-rate") == bytes)
    }

    @Test(
        arguments: [
            "", "50", "MB", "50mb", "50Mb", "50 MiB", "-5MB", "+5MB", "0MB", "0.5kB", "1e9MB", "infMB", "nanMB",
            "0x10MB", "1..5MB",
            "٥MB", "50MB/min", "99999999999999999999TB", "5 0MB", "50MB; DROP TABLE x",
            String(repeating: "9", count: 5000) + "MB",
        ]
    )
    func `nonsense is no rate`(text: String) throws {
        let error = #expect(throws: PostgresError.self) { try ServerUnit.bytes(text, for: "--max-rate") }
        #expect(error?.message.hasPrefix("--max-rate cannot be \"") == true && error?.hint?.isEmpty == false)
    }

    @Test(
        arguments: [
            ("10s", 10_000), ("1500 ms", 1500), ("2min", 120_000), ("1h", 3_600_000), ("1d", 86_400_000),
            ("1.5s", 1500),
        ]
    )
    func `a time is read as PostgreSQL writes it`(text: String, milliseconds: Int) throws {
        #expect(try ServerUnit.duration(text, for: "--max-replica-lag") == .milliseconds(milliseconds))
    }

    @Test(arguments: ["10", "s", "-1s", "0s", "10ms", "31d", "10 seconds", "10S", "1e3s", "nan s", "∞s"])
    func `nonsense is no time`(text: String) throws {
        #expect(throws: PostgresError.self) { try ServerUnit.duration(text, for: "--max-replica-lag") }
    }
}

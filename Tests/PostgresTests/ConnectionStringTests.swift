import Foundation
import Postgres
import Testing

struct ConnectionStringTests {
    static let passwords = ["plain", "it's \\ \"x\"", "a b=c", "p@ss/w:rd?&#%", "\u{301}'\u{301}", "line\nend"]

    @Test(arguments: passwords)
    func `a password survives and is never shown`(password: String) throws {
        let target = try ConnectionString("host=h dbname=d user=u").with("password", password)
        #expect(try ConnectionString(target.secretText)["password"] == password)
        for text in [target.description, target.debugDescription, target.place, String(reflecting: target)] {
            #expect(!text.contains(password))
        }
        var dumped = ""
        dump(target, to: &dumped)
        #expect(!dumped.contains(password))
        #expect(!target.forChildProcess.argument.contains(password))
        #expect(target.forChildProcess.environment["PGPASSWORD"] == password)
    }

    @Test(arguments: [
        "postgresql://u:s3cret@h:5433/d?sslmode=require",
        "host=h port=5433 user=u password=s3cret dbname=d sslmode=require",
    ])
    func `both forms mean the same`(text: String) throws {
        let target = try ConnectionString(text)
        #expect(target["host"] == "h" && target["port"] == "5433" && target["dbname"] == "d")
        #expect(target["password"] == "s3cret" && target["sslmode"] == "require")
        #expect(target.place == "h:5433/d")
        #expect(target.description.contains("password='***'"))
    }

    @Test(arguments: [
        ("service=old", "service old"), ("service=old dbname=d", "service old/d"),
        ("service=old port=5433 dbname=d user=u", "service old:5433/d"), ("service=old host=h dbname=d", "h:5432/d"),
    ])
    func `a service is a place of its own, whose host and database are in its file`(text: String, place: String) throws
    {
        #expect(try ConnectionString(text).place == place)
    }

    @Test(arguments: [
        "postgresql://u:s3cret%zz@h/d", "postgresql://u:pa/s3cret@h/d", "postgresql://u:12/s3cret@h/d",
        "postgresql://u:pa@s3cret@h/d", "postgresql://u@srv:s3cret@h/d", "password=my s3cret", "password=a\" b\ns3cret",
        "postgresql://u:s3cret@[::1", "password='s3cret", "host=h dbname=postgresql://u:s3cret@h/d",
        "password=s3cret\0x",
        "postgresql://u%40srv:p@s3cret@h/d", "password=my s3cret=x",
        "postgresql://h/d?password=a&s3cret=b",
    ])
    func `malformed text never shows the password`(text: String) throws {
        let error = try #require(throws: PostgresError.self) { try ConnectionString(text) }
        #expect(!String(reflecting: error).contains("s3cret"))
        #expect(error.hint?.contains("%40") == true)
    }

    @Test(arguments: ["host=h sslmod=require", "postgresql://u@h/d?sslmod=require"])
    func `an option that does not exist is named`(text: String) throws {
        let error = try #require(throws: PostgresError.self) { try ConnectionString(text) }
        #expect(error.detail?.contains("\"sslmod\"") == true)
    }

    @Test func `the rest of a password is not taken for an option`() throws {
        for text in ["host=h password=my word=x", "postgresql://h/d?password=p&word=x"] {
            let error = try #require(throws: PostgresError.self) { try ConnectionString(text) }
            #expect(!String(reflecting: error).contains("word=") && error.detail?.contains("\"word\"") == false)
        }
    }
}
